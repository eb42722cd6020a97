//! The count of the connections of one acceptor.

use crate::event_loop::{Loop, Token};
use std::cell::Cell;
use std::rc::Rc;

/// The number of connections that one acceptor has accepted and that have not closed. The stream of a connection counts itself,
/// from its beginning to the end of its closing phase.
pub(crate) struct Connections {
    lp: Rc<Loop>,
    count: Cell<usize>,
    /// The acceptor, once it is closing and waits for its last connection.
    closing: Cell<Token>,
}

impl Connections {
    pub fn of(lp: &Rc<Loop>) -> Rc<Connections> {
        Rc::new(Connections { lp: lp.clone(), count: Cell::new(0), closing: Cell::new(Token::NONE) })
    }

    pub fn count(&self) -> usize {
        self.count.get()
    }

    pub fn opened(&self) {
        self.count.set(self.count.get() + 1);
    }

    pub fn closed(&self) {
        self.count.set(self.count.get().saturating_sub(1));
        let acceptor = self.closing.get();
        if acceptor != Token::NONE {
            self.close_when_gone(acceptor);
        }
    }

    /// Closes the acceptor in a closing phase, when there is no connection any more.
    pub fn close_when_gone(&self, acceptor: Token) {
        let gone = self.count.get() == 0;
        self.closing.set(if gone { Token::NONE } else { acceptor });
        if gone {
            self.lp.make_closing(acceptor);
        }
    }
}
