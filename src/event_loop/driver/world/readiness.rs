use super::connection::Endpoint;
use super::listener::Bound;
use super::{Event, Look, Ready, WAKE, World};
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// A function of the harness that runs when its socket has changed, as an occurrence of the world.
pub(crate) type Script = Rc<dyn Fn(&World)>;

/// The receiver of a socket's edges.
#[derive(Default)]
pub(super) enum Audience {
    /// The socket is not registered.
    #[default]
    Nobody,
    /// The loop, under this token.
    Loop(usize),
    Script(Script),
}

/// A socket's entry for the ready list.
#[derive(Default)]
pub(super) struct Watch {
    pub audience: Audience,
    /// True while the socket is on the ready list. Until it is taken from the list, further edges are part of the same event.
    told: bool,
}

/// A socket that can have an edge, which is a change of its readiness.
#[derive(Clone)]
pub(super) enum Source {
    End(Endpoint),
    Bound(Rc<Bound>),
}

impl Source {
    fn watch<R>(&self, look: impl FnOnce(&mut Watch) -> R) -> R {
        match self {
            Source::End(end) => look(&mut end.me().watch),
            Source::Bound(bound) => look(&mut bound.watch.borrow_mut()),
        }
    }

    fn ready(&self, world: &World) -> Ready {
        match self {
            Source::End(end) => end.ready(world),
            Source::Bound(bound) => bound.ready(),
        }
    }

    /// Sets the receiver of edges from now on. Readiness that exists already is reported first, as epoll does on registration.
    pub fn tell(&self, world: &World, audience: Audience) {
        // Dropped after the borrow, since a script may hold user values.
        let old = self.watch(|watch| std::mem::replace(&mut watch.audience, audience));
        drop(old);
        if self.ready(world) != Ready::NONE {
            world.edge(self);
        }
    }
}

impl World {
    /// Called when a socket has changed. As in epoll, the edge only puts the socket on the ready list; its readiness is
    /// determined when it is taken from that list.
    pub(super) fn edge(&self, source: &Source) {
        let of_script = source.watch(|watch| {
            let of_script = match watch.audience {
                Audience::Nobody => None,
                _ if watch.told => None,
                Audience::Loop(_) => Some(false),
                Audience::Script(_) => Some(true),
            };
            watch.told |= of_script.is_some();
            of_script
        });
        match of_script {
            None => {}
            Some(false) => self.0.ready.borrow_mut().push_back(source.clone()),
            Some(true) => {
                let source = source.clone();
                self.at(self.now(), move |world| {
                    let script = source.watch(|watch| {
                        watch.told = false;
                        match &watch.audience {
                            Audience::Script(script) => Some(script.clone()),
                            _ => None,
                        }
                    });
                    if let Some(script) = script {
                        script(world);
                    }
                });
            }
        }
    }

    /// Takes events from the ready list, the oldest edge first and the waker last, as many as one wait may report. Returns
    /// whether there were any, and whether those were all.
    pub(super) fn take_events(&self, out: &mut Vec<Event>) -> (bool, Look) {
        let before = out.len();
        let most = before.saturating_add(self.0.waiting.events());
        while out.len() < most {
            let source = self.0.ready.borrow_mut().pop_front();
            let Some(source) = source else { break };
            let token = source.watch(|watch| {
                watch.told = false;
                match watch.audience {
                    Audience::Loop(token) => Some(token),
                    _ => None,
                }
            });
            let Some(token) = token else { continue };
            let ready = source.ready(self);
            if ready != Ready::NONE {
                out.push(Event { token, ready });
            }
        }
        if out.len() < most && self.0.waker.pending.load(Ordering::Acquire) {
            out.push(Event { token: WAKE, ready: Ready::READ });
        }
        (out.len() > before, if out.len() < most { Look::All } else { Look::Full })
    }
}
