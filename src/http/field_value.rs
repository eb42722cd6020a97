/// The types in which the value of a field can be given: text, which is sent as UTF-8, a number, or bytes.
pub trait FieldValue {
    /// Calls `f` with the bytes of the value.
    #[doc(hidden)]
    fn with<R>(self, f: impl FnOnce(&[u8]) -> R) -> R;
}

macro_rules! bytes {
    ($($kind:ty)*) => {$(
        impl FieldValue for $kind {
            #[inline]
            fn with<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(self.as_ref())
            }
        }
    )*};
}
bytes!(&str &String String &[u8] &Vec<u8> Vec<u8>);

impl<const N: usize> FieldValue for &[u8; N] {
    fn with<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        f(self)
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl FieldValue for $number {
            fn with<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(self.to_string().as_bytes())
            }
        }
    )*};
}
numbers!(i32 i64 u16 u32 u64 usize);
