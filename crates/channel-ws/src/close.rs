//! Why a WebSocket was closed: codes and reasons (RFC 6455, 7.4).

use std::fmt;

use crate::error::WsError;

/// Limit: bytes of the reason of a close. A longer one cannot be sent, and breaks the protocol when
/// received.
pub const MAX_REASON: usize = 123;

/// A close code that may be sent: 1000 to 1003, 1007 to 1014, and 3000 to 4999.
///
/// The others are reserved, or stand for closes without a code (1005), without a close (1006) and
/// without TLS (1015), which never travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// An endpoint goes away.
    pub const AWAY: Self = Self(1001);
    /// The protocol was broken.
    pub const PROTOCOL: Self = Self(1002);
    /// Data of a kind that is not taken.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Data that is not what its kind says, such as text that is not UTF-8.
    pub const INVALID: Self = Self(1007);
    /// The application's rules were broken.
    pub const POLICY: Self = Self(1008);
    /// A message was too large.
    pub const TOO_LARGE: Self = Self(1009);
    /// Something unexpected happened.
    pub const ERROR: Self = Self(1011);

    /// The code of this number.
    ///
    /// # Errors
    /// It must not be sent.
    pub const fn new(code: u16) -> Result<Self, WsError> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Self(code)),
            _ => Err(WsError::BadCloseCode(code)),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a close says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// Why, for programs.
    pub code: CloseCode,
    /// Why, for people; at most [`MAX_REASON`] bytes.
    pub reason: String,
}

impl CloseFrame {
    /// A code and a reason.
    #[must_use]
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { code, reason }
    }

    pub(crate) fn check(self) -> Result<Self, WsError> {
        if self.reason.len() > MAX_REASON {
            return Err(WsError::TooLarge { limit: MAX_REASON });
        }
        Ok(self)
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent_are_those_of_the_standard() {
        let valid = |code: &u16| CloseCode::new(*code).is_ok();
        let all: Vec<u16> = (0..=u16::MAX).filter(valid).collect();
        let expected: Vec<u16> = (1000..=1003)
            .chain(1007..=1014)
            .chain(3000..=4999)
            .collect();
        assert_eq!(all, expected);
    }
}
