//! URIs that somebody presents to whoever shared them, through a router (uri.md, "Router URI").

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::time::Duration;

use serde_json::{Map, Value};
use telehash_hashname::Hashname;
use telehash_link::Instant;
use telehash_lob::{JsonError, Lob, LobError};

use crate::Introduction;

/// Limit: bytes of a URI that is presented, with all around it; a longer one is refused unread.
pub const MAX_PRESENTED: usize = 2048;

/// Limit: introductions and URIs that wait for each other. At the limit the oldest is forgotten.
pub const MAX_UNPAIRED: usize = 64;

/// Limit: how long an introduction and a URI wait for each other.
pub const UNPAIRED_WAIT: Duration = Duration::from_secs(10);

/// `{"type":"uri","uri":…,"at":N}`: the URI that led somebody here, unencrypted. It goes with an
/// [`Introduction`] of the same `at`, which says who that is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presented {
    /// The URI, with its fragment.
    pub uri: String,
    /// Groups what was sent together.
    pub at: u64,
}

impl Presented {
    /// A URI to be presented.
    #[must_use]
    pub fn new(uri: impl Into<String>, at: u64) -> Self {
        let uri = uri.into();
        Self { uri, at }
    }

    /// Reads the BODY of a `connect`.
    ///
    /// # Errors
    /// See [`PresentedError`]; the sender is to get no answer.
    pub fn from_bytes(body: &[u8]) -> Result<Self, PresentedError> {
        if body.len() > MAX_PRESENTED {
            return Err(PresentedError::TooLong);
        }
        let head = Lob::parse(body)?.json()?;
        let text = |name| head.get(name).and_then(Value::as_str);
        if text("type") != Some("uri") {
            return Err(PresentedError::OtherType);
        }
        let uri = text("uri").ok_or(PresentedError::Incomplete)?;
        let at = head.get("at").and_then(Value::as_u64);
        Ok(Self::new(uri, at.ok_or(PresentedError::Incomplete)?))
    }

    /// The bytes.
    ///
    /// # Errors
    /// The URI is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PresentedError> {
        let mut head = Map::new();
        head.insert("type".into(), "uri".into());
        head.insert("uri".into(), self.uri.as_str().into());
        head.insert("at".into(), self.at.into());
        let bytes = telehash_lob::encode_json(&head, &[])?;
        match bytes.len() {
            0..=MAX_PRESENTED => Ok(bytes),
            _ => Err(PresentedError::TooLong),
        }
    }
}

impl core::fmt::Debug for Presented {
    /// Without the URI, which may be a secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut all = f.debug_struct("Presented");
        all.field("at", &self.at).finish_non_exhaustive()
    }
}

/// Why bytes present no URI.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresentedError {
    /// More than [`MAX_PRESENTED`] bytes.
    #[error("the URI is too long to be presented")]
    TooLong,
    /// No LOB packet.
    #[error("what should present a URI is no packet: {0}")]
    Packet(#[from] LobError),
    /// No acceptable JSON.
    #[error("what should present a URI cannot be read: {0}")]
    Head(#[from] JsonError),
    /// An unencrypted message of another type.
    #[error("it presents no URI but is another unencrypted message")]
    OtherType,
    /// It has no URI, or no `at`.
    #[error("what should present a URI has none, or no `at`")]
    Incomplete,
}

/// Brings introductions and URIs together, whichever comes first. `U` is what the target makes of a
/// URI that is good: the others are not to be kept.
///
/// ```
/// use telehash_channel_connect::{Introduction, Pairing};
/// use telehash_hashname::{Csid, Hashname, KeySet};
/// use telehash_link::Instant;
///
/// let mut keys = KeySet::new();
/// keys.insert_key(Csid::CS3A, vec![7; 32])?;
/// let mut introduction = Introduction::of_each(&keys).next().unwrap();
/// introduction.at = Some(5);
///
/// let [router, sender] = [1, 2].map(|n| Hashname::from_bytes([n; 32]));
/// let (now, mut pairing) = (Instant::from_micros(0), Pairing::default());
/// assert!(pairing.introduced(now, (router, sender), introduction).is_none());
/// assert!(pairing.presented(now, (router, sender), 6, "another").is_none());
/// let (who, what) = pairing.presented(now, (router, sender), 5, "good").unwrap();
/// assert_eq!((who.keys, what), (keys, "good"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pairing<U> {
    waiting: VecDeque<Waiting<U>>,
}

/// Which router handed something over, and in whose name.
type Origin = (Hashname, Hashname);

#[derive(Debug)]
struct Waiting<U> {
    since: Instant,
    origin: Origin,
    at: u64,
    half: Half<U>,
}

#[derive(Debug)]
enum Half<U> {
    Introduction(Introduction),
    Uri(U),
}

impl<U> Default for Pairing<U> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
        }
    }
}

impl<U> Pairing<U> {
    /// Somebody was introduced: it and its URI, if that came before. Otherwise it waits, if it has an
    /// `at`.
    pub fn introduced(
        &mut self,
        now: Instant,
        origin: Origin,
        introduction: Introduction,
    ) -> Option<(Introduction, U)> {
        let at = introduction.at?;
        let is_uri = |half: &Half<U>| matches!(half, Half::Uri(_));
        match self.take(now, origin, at, is_uri) {
            Some(Half::Uri(uri)) => Some((introduction, uri)),
            _ => {
                self.keep(now, origin, at, Half::Introduction(introduction));
                None
            }
        }
    }

    /// Somebody presented a URI that is good: it and who that was, if it said so before. Otherwise it
    /// waits.
    pub fn presented(
        &mut self,
        now: Instant,
        origin: Origin,
        at: u64,
        uri: U,
    ) -> Option<(Introduction, U)> {
        let is_introduction = |half: &Half<U>| matches!(half, Half::Introduction(_));
        match self.take(now, origin, at, is_introduction) {
            Some(Half::Introduction(introduction)) => Some((introduction, uri)),
            _ => {
                self.keep(now, origin, at, Half::Uri(uri));
                None
            }
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn take(
        &mut self,
        now: Instant,
        origin: Origin,
        at: u64,
        wanted: impl Fn(&Half<U>) -> bool,
    ) -> Option<Half<U>> {
        let is_late = |waiting: &Waiting<U>| now >= waiting.since + UNPAIRED_WAIT;
        self.waiting.retain(|waiting| !is_late(waiting));
        let fits = |waiting: &Waiting<U>| {
            (waiting.origin, waiting.at) == (origin, at) && wanted(&waiting.half)
        };
        let found = self.waiting.iter().position(fits)?;
        self.waiting.remove(found).map(|waiting| waiting.half)
    }

    fn keep(&mut self, now: Instant, origin: Origin, at: u64, half: Half<U>) {
        let kind = core::mem::discriminant(&half);
        self.waiting.retain(|waiting| {
            (waiting.origin, waiting.at) != (origin, at)
                || core::mem::discriminant(&waiting.half) != kind
        });
        if self.waiting.len() >= MAX_UNPAIRED {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting {
            since: now,
            origin,
            at,
            half,
        });
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec};

    use telehash_hashname::{Csid, KeySet};

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn introduction(at: Option<u64>) -> Introduction {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
        let mut introduction = Introduction::of_each(&keys).next().unwrap();
        introduction.at = at;
        introduction
    }

    fn origin(router: u8, sender: u8) -> Origin {
        (
            Hashname::from_bytes([router; 32]),
            Hashname::from_bytes([sender; 32]),
        )
    }

    #[test]
    fn a_uri_of_the_longest_length_is_presented_and_a_longer_one_refused() {
        let empty = Presented::new("", 7).to_bytes().unwrap().len();
        let of_len = |len: usize| Presented::new("x".repeat(len - empty), 7);
        let longest = of_len(MAX_PRESENTED);
        let read = Presented::from_bytes(&longest.to_bytes().unwrap()).unwrap();
        assert_eq!(read, longest);
        let longer = of_len(MAX_PRESENTED + 1);
        assert!(matches!(longer.to_bytes(), Err(PresentedError::TooLong)));
        let bytes = vec![0; MAX_PRESENTED + 1];
        let refused = Presented::from_bytes(&bytes);
        assert!(matches!(refused, Err(PresentedError::TooLong)));
    }

    #[test]
    fn what_presents_no_uri_is_refused() {
        let body = |json: Value| {
            let Value::Object(head) = json else { panic!() };
            telehash_lob::encode_json(&head, &[]).unwrap()
        };
        let refused = |json| Presented::from_bytes(&body(json)).unwrap_err().to_string();
        let json = |kind: &str| serde_json::json!({"type": kind, "uri": "link:///", "at": 1});
        assert!(Presented::from_bytes(&body(json("uri"))).is_ok());
        assert!(refused(json("link")).contains("another"));
        assert!(refused(serde_json::json!({"type": "uri", "at": 1})).contains("none"));
        assert!(refused(serde_json::json!({"type": "uri", "uri": "a"})).contains("no `at`"));
        assert!(refused(serde_json::json!({"type": "uri", "uri": 7, "at": 1})).contains("none"));
        let debug = alloc::format!("{:?}", Presented::new("secret", 1));
        assert!(!debug.contains("secret"), "{debug}");
    }

    #[test]
    fn only_what_came_together_belongs_together() {
        let mut pairing = Pairing::default();
        let one = introduction(Some(1));
        assert!(pairing.introduced(NOW, origin(1, 1), one.clone()).is_none());
        assert!(pairing.presented(NOW, origin(1, 2), 1, "a").is_none());
        assert!(pairing.presented(NOW, origin(2, 1), 1, "a").is_none());
        assert!(pairing.presented(NOW, origin(1, 1), 2, "a").is_none());
        assert!(
            pairing
                .introduced(NOW, origin(1, 1), introduction(None))
                .is_none()
        );
        let pair = pairing.presented(NOW, origin(1, 1), 1, "b");
        assert_eq!(pair, Some((one, "b")));
        assert_eq!(pairing.len(), 3);
        assert!(pairing.presented(NOW, origin(1, 1), 1, "b").is_none());
    }

    #[test]
    fn what_is_said_again_waits_once_and_nothing_waits_for_ever() {
        let mut pairing = Pairing::default();
        for _ in 0..3 {
            assert!(pairing.presented(NOW, origin(1, 1), 1, "a").is_none());
            assert!(pairing.presented(NOW, origin(1, 1), 2, "a").is_none());
        }
        assert_eq!(pairing.len(), 2);
        let late = NOW + UNPAIRED_WAIT;
        assert!(
            pairing
                .introduced(late, origin(1, 1), introduction(Some(1)))
                .is_none()
        );
        assert_eq!(pairing.len(), 1);
    }

    #[test]
    fn one_more_than_the_limit_pushes_out_the_oldest() {
        let mut pairing = Pairing::default();
        for at in 0..=MAX_UNPAIRED as u64 {
            assert!(pairing.presented(NOW, origin(1, 1), at, "a").is_none());
        }
        assert_eq!(pairing.len(), MAX_UNPAIRED);
        let mut paired = |at| pairing.introduced(NOW, origin(1, 1), introduction(Some(at)));
        assert!(paired(0).is_none());
        assert!(paired(MAX_UNPAIRED as u64).is_some());
    }
}
