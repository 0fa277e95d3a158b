//! What sender and receiver say (files.md, "Messages").

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::FilesError;
use crate::frame;

/// What the sender says. `n` numbers the offers of one channel, from 0 on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum FromSender {
    /// A file on offer.
    File {
        n: u64,
        path: String,
        size: u64,
        /// When it was changed last, in seconds since 1970.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        modified: Option<u64>,
        /// Whether it is a program.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        executable: bool,
    },
    /// A folder, which is to be there.
    Folder { n: u64, path: String },
    /// Its contents follow, from this byte on.
    Data { n: u64, from: u64 },
    /// The BLAKE3 of all of it: after its contents, or in their place where the receiver has something.
    Hash { n: u64, hash: String },
    /// It is not sent after all.
    Withdrawn { n: u64, reason: String },
}

/// What the receiver says about each offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum FromReceiver {
    /// Send its contents, from this byte on if those before have this BLAKE3.
    Send {
        n: u64,
        from: u64,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        hash: Option<String>,
    },
    /// There is something of that name and size: say the hash of yours.
    Have { n: u64 },
    /// It is where it belongs.
    Stored { n: u64 },
    /// It is not taken.
    Refused { n: u64, reason: String },
}

/// The frame of a message.
pub(crate) fn encode(message: &impl Serialize) -> Result<Vec<u8>, FilesError> {
    let json = serde_json::to_vec(message);
    frame::message(&json.map_err(|_| FilesError::Protocol("a message that is no JSON"))?)
}

/// The message of a frame.
pub(crate) fn decode<M: DeserializeOwned>(json: &[u8]) -> Result<M, FilesError> {
    serde_json::from_slice(json)
        .map_err(|_| FilesError::Protocol("a message that cannot be understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_the_page_says_and_are_read_back() {
        let file = FromSender::File {
            n: 7,
            path: "a/b".into(),
            size: 3,
            modified: Some(9),
            executable: true,
        };
        let json = r#"{"type":"file","n":7,"path":"a/b","size":3,"modified":9,"executable":true}"#;
        assert_eq!(serde_json::to_string(&file).unwrap(), json);
        assert_eq!(decode::<FromSender>(json.as_bytes()).unwrap(), file);
        let (n, from, hash) = (7, 0, None);
        let send = FromReceiver::Send { n, from, hash };
        let json = r#"{"type":"send","n":7,"from":0}"#;
        assert_eq!(serde_json::to_string(&send).unwrap(), json);
        assert_eq!(decode::<FromReceiver>(json.as_bytes()).unwrap(), send);
        let newer = br#"{"type":"stored","n":1,"since":"later"}"#;
        let stored = FromReceiver::Stored { n: 1 };
        assert_eq!(decode::<FromReceiver>(newer).unwrap(), stored);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"type":"file"}"#,
            r#"{"type":"x","n":1}"#,
            r#"{"type":"file","n":-1,"path":"a","size":3}"#,
            r#"{"type":"file","n":1,"path":"a","size":1e30}"#,
            r#"{"type":"file","n":1,"path":"a","path":"b","size":1}"#,
            "{\"type\":\"folder\",\"n\":1,\"path\":\"\u{1}\"}",
        ] {
            assert!(decode::<FromSender>(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
