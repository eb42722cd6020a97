use super::{Event, Look, Ready, WAKE, World};
use std::cell::RefMut;
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

/// Who learns of an edge.
enum Told {
    Loop,
    Script,
}

impl Watch {
    /// Returns who must be told of an edge: nobody if the socket is on the ready list already.
    fn tell(&mut self) -> Option<Told> {
        let told = match self.audience {
            Audience::Nobody => None,
            _ if self.told => None,
            Audience::Loop(_) => Some(Told::Loop),
            Audience::Script(_) => Some(Told::Script),
        };
        self.told |= told.is_some();
        told
    }

    /// Returns the token under which the loop is told, and ends the event: the next edge is another one.
    fn take_token(&mut self) -> Option<usize> {
        self.told = false;
        match self.audience {
            Audience::Loop(token) => Some(token),
            _ => None,
        }
    }

    /// Returns the script that is told, and ends the event: the next edge is another one.
    fn take_script(&mut self) -> Option<Script> {
        self.told = false;
        match &self.audience {
            Audience::Script(script) => Some(script.clone()),
            _ => None,
        }
    }
}

/// A socket that can have an edge, which is a change of its readiness.
pub(super) trait Source {
    fn watch(&self) -> RefMut<'_, Watch>;
    fn ready(&self, world: &World) -> Ready;
}

impl World {
    /// Sets the receiver of a socket's edges from now on. Readiness that exists already is reported first, as epoll does on
    /// registration.
    pub(super) fn tell(&self, source: &(impl Source + Clone + 'static), audience: Audience) {
        // Dropped after the borrow, since a script may hold user values.
        let old = std::mem::replace(&mut source.watch().audience, audience);
        drop(old);
        if source.ready(self) != Ready::NONE {
            self.edge(source);
        }
    }

    /// Called when a socket has changed. As in epoll, the edge only puts the socket on the ready list; its readiness is
    /// determined when it is taken from that list.
    pub(super) fn edge(&self, source: &(impl Source + Clone + 'static)) {
        let told = source.watch().tell();
        match told {
            None => {}
            Some(Told::Loop) => self.0.ready.borrow_mut().push_back(Rc::new(source.clone())),
            Some(Told::Script) => {
                let source = source.clone();
                self.at(self.now(), move |world| {
                    let script = source.watch().take_script();
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
            let token = source.watch().take_token();
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
