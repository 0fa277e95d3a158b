//! What an endpoint says of itself to a local network.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Map, Value};
use telehash_hashname::{Hashname, HashnameError, KeySet, KeySetError};
use telehash_lob::{JsonError, Lob, LobError, encode_json};

/// Longest announcement in bytes: one that fits a frame of Ethernet. A longer one is not read, and
/// an endpoint whose keys need more cannot announce itself.
pub const MAX_ANNOUNCEMENT: usize = 1472;

/// An endpoint that lets everyone nearby know that it exists: its name and all of its keys.
///
/// It travels in the clear, as the head of a packet, in one of two forms: `{"hashname":…,"keys":{…}}`
/// of telehash-c, `{"json":{"type":"hn","hn":{…}}}` of telehash-js. Nothing proves that who sends it
/// has the keys; linking to it does.
///
/// ```
/// use telehash_hashname::{Csid, KeySet};
/// use telehash_link::Announcement;
///
/// let mut keys = KeySet::new();
/// keys.insert_key(Csid::CS3A, vec![7; 32])?;
/// let announcement = Announcement::new(keys)?;
/// for packet in announcement.packets()? {
///     assert_eq!(Announcement::parse(&packet)?, announcement);
/// }
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    hashname: Hashname,
    keys: KeySet,
}

impl Announcement {
    /// Of the endpoint with these keys.
    ///
    /// # Errors
    /// [`AnnouncementError::Keys`] if there is none, or one is not known in full.
    pub fn new(keys: KeySet) -> Result<Self, AnnouncementError> {
        let complete = keys.is_complete().then(|| keys.hashname()).flatten();
        let hashname = complete.ok_or(AnnouncementError::NoKeys)?;
        Ok(Self { hashname, keys })
    }

    /// Whether a packet could be an announcement, for the price of a few comparisons. Noise is
    /// taken for one in a few ten thousand times.
    #[must_use]
    pub fn is_likely(packet: &[u8]) -> bool {
        packet.len() <= MAX_ANNOUNCEMENT
            && Lob::parse(packet).is_ok_and(|lob| lob.head().starts_with(b"{"))
    }

    /// Reads either form. The keys always add up to the hashname; a body is ignored.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(packet: &[u8]) -> Result<Self, AnnouncementError> {
        if packet.len() > MAX_ANNOUNCEMENT {
            return Err(AnnouncementError::TooLong { len: packet.len() });
        }
        let head = Lob::parse(packet)?.json().map_err(unreadable)?;
        let (named, keys) = match head.get("json") {
            Some(inner) => (None, inner_keys(inner)),
            None => (head.get("hashname"), head.get("keys")),
        };
        let keys = keys.and_then(Value::as_object);
        let keys = KeySet::from_json(keys.ok_or(AnnouncementError::NoKeys)?)?;
        let announcement = Self::new(keys)?;
        match named {
            Some(name) if !is_name_of(name, &announcement)? => Err(AnnouncementError::Mismatch),
            None if !head.contains_key("json") => Err(AnnouncementError::NoName),
            _ => Ok(announcement),
        }
    }

    /// Who it is: the name that follows from the keys.
    #[must_use]
    pub const fn hashname(&self) -> Hashname {
        self.hashname
    }

    /// All of its keys.
    #[must_use]
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The keys alone.
    #[must_use]
    pub fn into_keys(self) -> KeySet {
        self.keys
    }

    /// The packets to send, one after the other: the form of C, then that of JavaScript.
    ///
    /// # Errors
    /// [`AnnouncementError::TooLong`] if one would exceed [`MAX_ANNOUNCEMENT`].
    pub fn packets(&self) -> Result<[Vec<u8>; 2], AnnouncementError> {
        let keys = Value::Object(self.keys.to_json());
        let name = Value::String(self.hashname.to_string());
        let inner = object([("type", "hn".into()), ("hn", keys.clone())]);
        Ok([
            packet(&object([("hashname", name), ("keys", keys)]))?,
            packet(&object([("json", inner.into())]))?,
        ])
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: JsonError) -> AnnouncementError {
    AnnouncementError::Head {
        reason: error.to_string(),
    }
}

/// The keys in the `json` of the JavaScript form.
fn inner_keys(json: &Value) -> Option<&Value> {
    (json.get("type")?.as_str()? == "hn")
        .then(|| json.get("hn"))
        .flatten()
}

fn is_name_of(name: &Value, announcement: &Announcement) -> Result<bool, AnnouncementError> {
    let text = name.as_str().ok_or(AnnouncementError::NoName)?;
    Ok(text.parse::<Hashname>()? == announcement.hashname)
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

fn packet(head: &Map<String, Value>) -> Result<Vec<u8>, AnnouncementError> {
    let packet = encode_json(head, &[])?;
    match packet.len() {
        len if len > MAX_ANNOUNCEMENT => Err(AnnouncementError::TooLong { len }),
        _ => Ok(packet),
    }
}

/// Why bytes are no announcement, or there is none of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// Longer than [`MAX_ANNOUNCEMENT`].
    #[error(
        "an announcement of {len} bytes is too long: at most {MAX_ANNOUNCEMENT} are sent or read"
    )]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// No packet.
    #[error(transparent)]
    Packet(#[from] LobError),
    /// The head is no JSON object.
    #[error("the head is no JSON object: {reason}")]
    Head {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no key, or one is not known in full.
    #[error("an announcement holds the keys of an endpoint, all of them")]
    NoKeys,
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// There is no hashname where one belongs.
    #[error("an announcement of this form holds a hashname")]
    NoName,
    /// The hashname cannot be read.
    #[error(transparent)]
    Name(#[from] HashnameError),
    /// The keys are somebody else's.
    #[error("the keys do not add up to the hashname")]
    Mismatch,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::discovery::tests::{announcement, keys};

    /// A packet with this head.
    fn with_head(head: &str) -> Vec<u8> {
        telehash_lob::encode(head.as_bytes(), &[]).unwrap()
    }

    fn parse(head: &str) -> Result<Announcement, AnnouncementError> {
        Announcement::parse(&with_head(head))
    }

    #[test]
    fn both_forms_are_what_the_other_implementations_send() {
        let [c, js] = announcement(7).packets().unwrap();
        let name = announcement(7).hashname();
        let key = telehash_hashname::base32::encode(&[7; 32]);
        assert_eq!(
            c,
            with_head(&format!(
                r#"{{"hashname":"{name}","keys":{{"3a":"{key}"}}}}"#
            ))
        );
        assert_eq!(
            js,
            with_head(&format!(
                r#"{{"json":{{"type":"hn","hn":{{"3a":"{key}"}}}}}}"#
            ))
        );
    }

    #[test]
    fn either_form_is_read_whatever_else_it_holds() {
        for packet in announcement(7).packets().unwrap() {
            assert!(Announcement::is_likely(&packet));
            let mut more = packet.clone();
            more.extend_from_slice(b"a body");
            assert_eq!(Announcement::parse(&packet), Ok(announcement(7)));
            assert_eq!(Announcement::parse(&more), Ok(announcement(7)));
        }
    }

    #[test]
    fn keys_of_somebody_else_are_refused() {
        let (name, other) = (announcement(7).hashname(), keys(8).to_json());
        let other = Value::Object(other);
        let head = format!(r#"{{"hashname":"{name}","keys":{other}}}"#);
        assert_eq!(parse(&head), Err(AnnouncementError::Mismatch));
    }

    #[test]
    fn what_is_no_announcement_says_why() {
        let key = Value::Object(keys(7).to_json());
        assert_eq!(
            parse(&format!(r#"{{"keys":{key}}}"#)),
            Err(AnnouncementError::NoName)
        );
        assert_eq!(
            parse(r#"{"hashname":"aaaa"}"#),
            Err(AnnouncementError::NoKeys)
        );
        assert_eq!(
            parse(r#"{"json":{"type":"hn","hn":{}}}"#),
            Err(AnnouncementError::NoKeys)
        );
        assert_eq!(
            parse(&format!(r#"{{"json":{{"type":"link","hn":{key}}}}}"#)),
            Err(AnnouncementError::NoKeys)
        );
        assert!(matches!(parse("{}"), Err(AnnouncementError::Head { .. })));
        assert!(matches!(
            parse("{\"a\":1,}"),
            Err(AnnouncementError::Head { .. })
        ));
        assert!(matches!(
            Announcement::parse(&[9]),
            Err(AnnouncementError::Packet(_))
        ));
        let bad = parse(r#"{"json":{"type":"hn","hn":{"3a":"!"}}}"#);
        assert!(matches!(bad, Err(AnnouncementError::Keys(_))));
        let bad = format!(r#"{{"hashname":"aaaa","keys":{key}}}"#);
        assert!(matches!(parse(&bad), Err(AnnouncementError::Name(_))));
    }

    #[test]
    fn an_announcement_is_read_up_to_the_limit_and_no_further() {
        let [mut packet, _] = announcement(7).packets().unwrap();
        packet.resize(MAX_ANNOUNCEMENT, 0);
        assert_eq!(Announcement::parse(&packet), Ok(announcement(7)));
        assert!(Announcement::is_likely(&packet));
        packet.push(0);
        let len = packet.len();
        assert_eq!(
            Announcement::parse(&packet),
            Err(AnnouncementError::TooLong { len })
        );
        assert!(!Announcement::is_likely(&packet));
    }

    #[test]
    fn keys_that_do_not_fit_an_announcement_are_not_sent() {
        let mut keys = keys(7);
        keys.insert_key(telehash_hashname::Csid::CS2A, alloc::vec![1; 1000])
            .unwrap();
        let long = Announcement::new(keys).unwrap();
        assert!(matches!(
            long.packets(),
            Err(AnnouncementError::TooLong { .. })
        ));
    }

    #[test]
    fn what_travels_on_links_is_hardly_ever_taken_for_an_announcement() {
        assert!(!Announcement::is_likely(&[0, 0, b'{', b'}']));
        assert!(!Announcement::is_likely(&[0, 1, 0x3a, 1, 2, 3]));
        assert!(!Announcement::is_likely(&[1, 44, b'{', b'}']));
        assert!(!Announcement::is_likely(&[]));
    }
}
