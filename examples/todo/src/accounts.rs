//! Whose list it is.

/// Who asks: a step puts it into the request.
pub struct Account {
    pub id: i64,
}

impl Account {
    /// The one account of all who have none.
    pub fn everybody() -> Account {
        Account { id: 0 }
    }
}
