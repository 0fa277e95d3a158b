//! What `z` switches on (packets.md, Payload compression).

use telehash_lob::Compression;

#[test]
fn every_compression_has_its_z_and_no_other_number_has_one() {
    assert_eq!(Compression::from_z(0), Some(Compression::None));
    assert_eq!(
        Compression::from_z(1),
        cfg!(feature = "cbor").then_some(Compression::Cbor)
    );
    assert_eq!(
        Compression::from_z(2),
        cfg!(feature = "deflate").then_some(Compression::Deflate)
    );
    assert_eq!(
        (Compression::from_z(3), Compression::from_z(u64::MAX)),
        (None, None)
    );
    let all = [Compression::None, Compression::Cbor, Compression::Deflate];
    assert_eq!(all.map(Compression::z), [0, 1, 2]);
}

#[test]
fn only_deflate_wraps_a_payload() {
    for z in [Compression::None, Compression::Cbor] {
        let mut out = b"before and payload".to_vec();
        z.seal(&mut out, 7).unwrap();
        assert_eq!(out, b"before and payload");
        assert_eq!(z.open(&out).unwrap(), &out[..]);
    }
}

#[cfg(not(feature = "deflate"))]
#[test]
fn deflate_is_an_error_in_a_build_without_it() {
    use telehash_lob::compress::CompressError;

    assert_eq!(
        Compression::Deflate.open(b"\x03\0"),
        Err(CompressError::Unsupported)
    );
    assert_eq!(
        Compression::Deflate.seal(&mut vec![1], 0),
        Err(CompressError::Unsupported)
    );
}

#[cfg(not(feature = "cbor"))]
#[test]
fn cbor_is_an_error_in_a_build_without_it() {
    use telehash_lob::{ChannelHeader, HeaderError, LobError};

    let mut out = Vec::new();
    let refused = ChannelHeader::new(1).encode_into(&mut out, b"body", Compression::Cbor);
    assert_eq!((refused, out), (Err(LobError::NoCbor), vec![]));
    let refused = ChannelHeader::decode(b"\x01", Compression::Cbor);
    assert!(matches!(refused, Err(HeaderError::Lob(LobError::NoCbor))));
}

#[cfg(feature = "deflate")]
mod deflate {
    use proptest::{collection::vec, prelude::*};
    use telehash_lob::{
        ChannelHeader, Compression,
        compress::{CompressError, MAX_INFLATED},
    };

    const Z: Compression = Compression::Deflate;

    #[test]
    fn a_packet_comes_back_smaller_on_the_way() {
        let mut header = ChannelHeader::new(1);
        header.seq = Some(5);
        let body = [7; 1000];
        let mut out = b"before".to_vec();
        header.encode_into(&mut out, &body, Z).unwrap();
        assert_eq!(out.len() - 6, header.encoded_len(body.len(), Z));
        Z.seal(&mut out, 6).unwrap();
        assert!(out.starts_with(b"before") && out.len() < 100);
        let payload = Z.open(&out[6..]).unwrap();
        let (again, range) = ChannelHeader::decode(&payload, Z).unwrap();
        assert_eq!((again, &payload[range]), (header, &body[..]));
    }

    #[test]
    fn a_payload_inflates_up_to_the_limit_and_no_further() {
        let mut out = vec![0; MAX_INFLATED];
        Z.seal(&mut out, 0).unwrap();
        assert_eq!(Z.open(&out).unwrap().len(), MAX_INFLATED);
        let too_long = CompressError::TooLong {
            len: MAX_INFLATED + 1,
        };
        assert_eq!(Z.seal(&mut vec![0; MAX_INFLATED + 1], 0), Err(too_long));
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; MAX_INFLATED + 1], 9);
        assert_eq!(Z.open(&bomb), Err(CompressError::Inflate));
    }

    #[test]
    fn what_is_not_deflate_is_refused() {
        for payload in [
            &b""[..],
            b"\xff",
            b"\x07",
            b"\x03",
            b"\x01\x05\x00\xfa\xffab",
        ] {
            assert_eq!(Z.open(payload), Err(CompressError::Inflate), "{payload:x?}");
        }
    }

    proptest! {
        #[test]
        fn payloads_come_back(payload in vec(any::<u8>(), 0..2000)) {
            let mut out = payload.clone();
            Z.seal(&mut out, 0).unwrap();
            prop_assert_eq!(Z.open(&out).unwrap().into_owned(), payload);
        }
    }
}
