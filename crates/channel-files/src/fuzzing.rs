//! The body of the fuzz target: it takes any bytes, must not panic on its own account, and asserts what has to hold
//! for them.

use bytes::Bytes;

use crate::frame::{Decoder, Frame, MAX_MESSAGE};
use crate::message::{FromReceiver, FromSender, decode, encode};
use crate::name::{Name, Rules};

/// Whatever a stream says, what comes out of it is within limits: messages mean the same when they are written anew,
/// and names stay below their folder. The first byte says into which pieces the rest is cut.
pub fn files_stream(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let mut decoder = Decoder::default();
    for piece in data.chunks(usize::from(cut) + 1) {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(Frame::Message(json))) => message(&json),
                Ok(Some(Frame::Data(bytes))) => assert!(!bytes.is_empty()),
                Ok(None) => break,
                // Nothing after an error means anything.
                Err(_) => return,
            }
        }
    }
}

fn message(json: &[u8]) {
    assert!(json.len() <= MAX_MESSAGE);
    if let Ok(reply) = decode::<FromReceiver>(json)
        && let Ok(frame) = encode(&reply)
    {
        assert_eq!(
            decode::<FromReceiver>(frame.get(4..).unwrap_or_default()).ok(),
            Some(reply)
        );
    }
    if let Ok(FromSender::File { path, .. } | FromSender::Folder { path, .. }) = decode(json) {
        for windows in [false, true] {
            let rules = Rules {
                windows,
                folds_case: windows,
            };
            if let Ok(name) = Name::new(&path, rules) {
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                assert!(name.to_path().components().all(normal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn files_stream_holds_for_random_bytes(
            data in vec(prop_oneof![0_u8..3, any::<u8>()], 0..300),
        ) {
            files_stream(&data);
        }

        #[test]
        fn files_stream_holds_for_any_name(cut: u8, path in "[a./\\\\:\u{0}]{0,12}|\\PC{0,40}") {
            let offer = FromSender::Folder { n: 0, path };
            let mut data = vec![cut];
            data.extend(encode(&offer).unwrap());
            files_stream(&data);
        }
    }
}
