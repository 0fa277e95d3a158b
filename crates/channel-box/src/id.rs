//! Names of boxes and messages (channel-types.md, "box").

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use telehash_hashname::{Hashname, siphash};
use thiserror::Error;

/// Which box: one for each sender and recipient. Printed as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId([u8; 8]);

/// Which message of a box. Printed as hexadecimal digits.
///
/// It finds a message again and proves nothing: whoever knows the box can make another message of the
/// same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 8]);

impl BoxId {
    /// Bytes of a name.
    pub const LEN: usize = 8;

    /// The lowest and the highest one.
    pub(crate) const ALL: (Self, Self) = (Self([0; 8]), Self([0xff; 8]));

    /// The box of what `sender` has for `recipient`.
    #[must_use]
    pub fn new(sender: &Hashname, recipient: &Hashname) -> Self {
        Self(sender.siphash(recipient.as_bytes()))
    }

    /// As it travels in `boxes`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The same as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl MessageId {
    /// The name of a message, encrypted as it is, in this box.
    #[must_use]
    pub fn new(within: &BoxId, message: &[u8]) -> Self {
        let mut key = [0; 16];
        for half in key.chunks_exact_mut(8) {
            half.copy_from_slice(&within.0);
        }
        Self(siphash(&key, message))
    }
}

/// The text is no name of a box or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the name of a box or message is 16 hexadecimal digits in lower case")]
pub struct IdError;

fn parse(text: &str) -> Result<[u8; 8], IdError> {
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| IdError)?;
    bytes.try_into().map_err(|_| IdError)
}

macro_rules! text {
    ($id:ident) => {
        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($id))
            }
        }
    };
}

text!(BoxId);
text!(MessageId);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const JS: &str = include_str!("../../../interop/vectors/js/chat-box-siphash.json");

    #[test]
    fn names_are_those_that_javascript_computes() {
        let file: Value = serde_json::from_str(JS).unwrap();
        let text = |field: &str| file["box"][field].as_str().expect(field).to_owned();
        let (sender, recipient) = (text("sender"), text("recipient"));
        let id = BoxId::new(&sender.parse().unwrap(), &recipient.parse().unwrap());
        assert_eq!(id.to_string(), text("box_id_js_hex"));
        let message = HEXLOWER.decode(text("message_hex").as_bytes()).unwrap();
        let message = MessageId::new(&id, &message);
        assert_eq!(message.to_string(), text("message_id_js_hex"));
    }

    #[test]
    fn names_are_read_as_they_are_written_and_nothing_else_is() {
        let id: BoxId = "39981973f7555329".parse().unwrap();
        assert_eq!(id.to_string(), "39981973f7555329");
        for text in [
            "",
            "39981973f755532",
            "39981973f75553299",
            "39981973F7555329",
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(IdError), "{text}");
        }
    }
}
