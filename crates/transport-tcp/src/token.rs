//! Who can go on: the meaning of the numbers in a `Readiness`.

/// Bits of a connection's number below its serial number: whether its peer is on this machine.
const LOCAL_BITS: u32 = 1;

/// The number of a connection, from a serial number that is at least 1.
pub(crate) const fn number(serial: u64, local: bool) -> u64 {
    serial << LOCAL_BITS | local as u64
}

/// Whether the connection's peer is on this machine, which is known for as long as anyone remembers
/// its number.
pub(crate) const fn is_local(number: u64) -> bool {
    number & 1 == 1
}

/// Who can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The listener, or the transport was closed.
    Listener,
    /// The timer.
    Timer,
    /// A connection with something to read, or its TLS handshake.
    Read(u64),
    /// A connection that can be written to.
    Write(u64),
}

impl Token {
    pub(crate) const fn encode(self) -> u64 {
        match self {
            Self::Listener => 0,
            Self::Timer => 1,
            Self::Read(number) => number << 1,
            Self::Write(number) => number << 1 | 1,
        }
    }

    pub(crate) const fn decode(code: u64) -> Self {
        match code {
            0 => Self::Listener,
            1 => Self::Timer,
            _ if code & 1 == 0 => Self::Read(code >> 1),
            _ => Self::Write(code >> 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_being_numbers() {
        let first = number(1, false);
        for token in [
            Token::Listener,
            Token::Timer,
            Token::Read(first),
            Token::Write(first),
            Token::Read(number(7, true)),
            Token::Write(number(7, true)),
        ] {
            assert_eq!(Token::decode(token.encode()), token);
        }
    }

    #[test]
    fn a_number_tells_whether_the_peer_is_here() {
        assert!(is_local(number(1, true)) && !is_local(number(2, false)));
    }
}
