//! Writes recordings as traces that other programs can show.

use super::{CallRecord, Iteration, Phase, Recording, Slice, TurnRecord};
use std::fmt::{self, Display, Write};
use std::io;
use std::time::Duration;

/// Writes a recording as a Chrome trace (JSON), which speedscope, Perfetto, Chrome's `about:tracing` and other programs can
/// open. Returns the number of its slices, which is also in the trace (`otherData`).
///
/// Each slice is a complete event (`"ph":"X"`) of one thread. Times are microseconds with three decimals on the loop's
/// clock. Slices are in the order in which they began, each before those within it: iteration, phase, wait or turn,
/// callback. Phases and waits that took no time are left out. A slice ends some nanoseconds before the end of the one that
/// contains it, and before the beginning of the next one. Importers add floating-point numbers, so two slices that end
/// together might otherwise seem to overlap.
///
/// ```
/// use oneloop::event_loop::{RecordingSize, recording, start_recording, trace};
///
/// start_recording(RecordingSize::default());
/// oneloop::set_timeout(std::time::Duration::from_millis(2), || println!("later"));
/// oneloop::run()?;
/// let mut file = Vec::new();
/// let slices = trace::chrome(&recording(0).unwrap(), &mut file)?;
/// assert!(slices > 0); // iterations, their phases, the wait, the turn of the timer
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
/// The errors of `out`, to which small pieces are written.
pub fn chrome(recording: &Recording, out: &mut impl io::Write) -> io::Result<usize> {
    out.write_all(HEAD.as_bytes())?;
    let mut events = Events { line: String::new(), out, slices: 0 };
    for iteration in &recording.iterations {
        events.iteration(iteration)?;
    }
    let slices = events.slices;
    writeln!(out, "\n],\"otherData\":{{\"slices\":{slices},\"iterationsDropped\":{}}}}}", recording.dropped)?;
    Ok(slices)
}

/// One process with one thread: there may be several loops, but a recording has one. Some importers also want a time and a
/// category for metadata; these are the ones that Chrome writes.
const HEAD: &str = r#"{"displayTimeUnit":"ns","traceEvents":[
{"ph":"M","pid":1,"tid":1,"ts":0,"cat":"__metadata","name":"process_name","args":{"name":"oneloop"}},
{"ph":"M","pid":1,"tid":1,"ts":0,"cat":"__metadata","name":"thread_name","args":{"name":"event loop"}}"#;

struct Events<'a, W> {
    line: String,
    out: &'a mut W,
    slices: usize,
}

impl<W: io::Write> Events<'_, W> {
    fn iteration(&mut self, iteration: &Iteration) -> io::Result<()> {
        let all = Slice { began: iteration.began, took: iteration.took };
        let name = if iteration.prelude { "prelude" } else { "iteration" };
        let queues = &iteration.queues;
        let args = format_args!(
            "\"serial\":{},\"events\":{},\"ticks\":{},\"read\":{},\"written\":{},\"turnsLost\":{},\"timers\":{},\
             \"ready\":{},\"immediates\":{},\"closing\":{},\"jobs\":{}",
            iteration.serial,
            iteration.events,
            iteration.ticks,
            iteration.read,
            iteration.written,
            iteration.turns_lost,
            queues.timers,
            queues.ready,
            queues.immediates,
            queues.closing,
            queues.jobs,
        );
        let all = self.slice(&Span::ALL, name, "iteration", all, &args)?;
        let mut turns = iteration.turns.iter().peekable();
        for phase in Phase::ALL {
            let slice = iteration.phase(phase);
            let has_turns = turns.peek().is_some_and(|turn| turn.phase == phase);
            if slice.took.is_zero() && !has_turns {
                continue;
            }
            let within = self.slice(&all, phase, "phase", slice, &"")?;
            if phase == Phase::Poll && !iteration.wait.took.is_zero() {
                let args = format_args!("\"events\":{}", iteration.events);
                self.slice(&within, "wait", "idle", iteration.wait, &args)?;
            }
            while let Some(turn) = turns.next_if(|turn| turn.phase == phase) {
                self.turn(&within, turn)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self, phase: &Span, turn: &TurnRecord) -> io::Result<()> {
        let slice = Slice { began: turn.began, took: turn.took };
        let name: &dyn Display = if turn.label.is_empty() { &turn.kind } else { &turn.label };
        let registered = Registered(turn);
        let route = Route(turn);
        let args = format_args!(
            "\"source\":\"{}\",\"callbacks\":{},\"ticks\":{},\"ticksMicroseconds\":{},\"read\":{},\"written\":{},\
             \"own\":{}{registered}{route}",
            turn.kind,
            turn.callbacks,
            turn.ticks,
            Micros(turn.ticks_took),
            turn.read,
            turn.written,
            turn.own,
        );
        let within = self.slice(phase, name, if turn.own { "own" } else { "turn" }, slice, &args)?;
        turn.calls.iter().try_for_each(|call| self.call(&within, call))
    }

    fn call(&mut self, turn: &Span, call: &CallRecord) -> io::Result<()> {
        let slice = Slice { began: call.began, took: call.took };
        let name: &dyn Display = if call.what.is_empty() { &"callback" } else { &call.what };
        let args = format_args!("\"registered\":\"{}\"", Escaped(&call.registered));
        self.slice(turn, name, "callback", slice, &args).map(|_| ())
    }

    fn slice(
        &mut self,
        within: &Span,
        name: impl Display,
        category: &str,
        slice: Slice,
        args: &dyn Display,
    ) -> io::Result<Span> {
        self.slices += 1;
        self.line.clear();
        let span = within.cut(slice);
        let (name, began, took) = (Escaped(&name), Micros(span.began), Micros(span.ended - span.began));
        // Formatting into a String cannot fail.
        let _ = write!(
            self.line,
            ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{began},\"dur\":{took},\"name\":\"{name}\",\
             \"cat\":\"{category}\",\"args\":{{{args}}}}}",
        );
        self.out.write_all(self.line.as_bytes())?;
        Ok(span)
    }
}

/// The beginning and the end of a slice, as they are written.
struct Span {
    began: Duration,
    ended: Duration,
}

impl Span {
    const ALL: Span = Span { began: Duration::ZERO, ended: Duration::MAX };
    const GAP: Duration = Duration::from_nanos(1);

    /// Cuts a slice so that it lies within this one. A slice without any length at the end of this one still comes after
    /// those with a length.
    fn cut(&self, slice: Slice) -> Span {
        let last = self.ended.saturating_sub(Span::GAP).max(self.began);
        let began = slice.began.min(last);
        let ended = slice.ended().min(last).saturating_sub(Span::GAP);
        Span { began, ended: ended.max(began) }
    }
}

/// A time in microseconds, with its nanoseconds as decimals.
struct Micros(Duration);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        write!(f, "{}.{:03}", nanos / 1000, nanos % 1000)
    }
}

struct Route<'a>(&'a TurnRecord);

impl Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.route {
            "" => Ok(()),
            route => write!(f, ",\"route\":\"{}\"", Escaped(route)),
        }
    }
}

struct Registered<'a>(&'a TurnRecord);

impl Display for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.registered {
            Some(site) => write!(f, ",\"registered\":\"{}\"", Escaped(&site)),
            None => Ok(()),
        }
    }
}

/// Displays a value as the inside of a JSON string (RFC 8259, section 7). This is needed because labels contain bytes
/// that peers sent.
pub(crate) struct Escaped<'a, T: ?Sized>(pub &'a T);

impl<T: Display + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for char in text.chars() {
                    match char {
                        '"' | '\\' => write!(self.0, "\\{char}")?,
                        control if control < ' ' => write!(self.0, "\\u{:04x}", u32::from(control))?,
                        other => self.0.write_char(other)?,
                    }
                }
                Ok(())
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_the_inside_of_a_json_string() {
        let text = "GET /\"\\\u{0}\n\u{1f}\u{7f}ä\u{2028}🌱/b\\c";
        let escaped = "GET /\\\"\\\\\\u0000\\u000a\\u001f\u{7f}ä\u{2028}🌱/b\\\\c";
        assert_eq!(Escaped(&text).to_string(), escaped);
    }

    #[test]
    fn no_nanosecond_is_lost() {
        let micros = |nanos| Micros(Duration::from_nanos(nanos)).to_string();
        assert_eq!(micros(0), "0.000");
        assert_eq!(micros(1_002), "1.002");
        assert_eq!(micros(86_400_000_000_001), "86400000000.001");
    }
}
