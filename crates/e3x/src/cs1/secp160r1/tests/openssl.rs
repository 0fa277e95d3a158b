//! Against OpenSSL, where it is installed and has the curve.

use std::eprintln;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use super::*;

/// Bytes of a key that OpenSSL writes: an ECPrivateKey in DER, with the curve named and the public
/// key.
const DER_LEN: usize = 83;
/// Where in it the secret key begins.
const SECRET_AT: usize = 7;
/// Bytes of a point that is not compressed.
const UNCOMPRESSED_LEN: usize = 1 + 2 * FIELD_LEN;

/// Makes keys, and agrees with each of them and the first.
const SCRIPT: &str = "
set -e
for i in $(seq 0 $1); do
    openssl ecparam -name secp160r1 -genkey -noout -outform DER -out $i.der
done
openssl ec -inform DER -in 0.der -pubout -out 0.pem
for i in $(seq 1 $1); do
    openssl pkeyutl -derive -keyform DER -inkey $i.der -peerkey 0.pem -out $i.x
done
";

#[test]
fn keys_and_agreements_are_those_of_openssl() {
    compare(50);
}

#[test]
#[ignore = "long: 1,000 keys, a process each"]
fn a_thousand_keys_and_agreements_are_those_of_openssl() {
    compare(1_000);
}

fn compare(count: usize) {
    let Some(curves) = openssl(&["ecparam", "-list_curves"]) else {
        eprintln!("skipped: openssl is not installed");
        return;
    };
    if !curves.stdout.windows(9).any(|word| word == b"secp160r1") {
        eprintln!("skipped: this openssl does not have secp160r1");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder of our own");
    let made = Command::new("sh")
        .args(["-c", SCRIPT, "sh", &std::format!("{count}")])
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert!(made.status.success(), "{made:?}");

    let (first, first_point) = key(folder.path(), 0);
    for i in 1..=count {
        let (scalar, point) = key(folder.path(), i);
        let x = std::fs::read(folder.path().join(std::format!("{i}.x"))).expect("an agreement");
        assert_eq!(first_point.agree(&scalar)[..], x, "key {i}");
        assert_eq!(point.agree(&first)[..], x, "key {i}");
    }
}

/// A key, after checking that its halves belong together.
fn key(folder: &Path, i: usize) -> (Scalar, AffinePoint) {
    let der = std::fs::read(folder.join(std::format!("{i}.der"))).expect("a key");
    assert_eq!(der.len(), DER_LEN, "key {i}");
    let secret = der[SECRET_AT..].first_chunk().expect("long enough");
    let scalar = Scalar::from_bytes(secret).expect("below the order");
    let public = &der[DER_LEN - UNCOMPRESSED_LEN..];
    assert_eq!(public[0], 4, "key {i}");

    let mut compressed: [u8; POINT_LEN] = *public.first_chunk().expect("long enough");
    compressed[0] = 2 | public[UNCOMPRESSED_LEN - 1] & 1;
    let point = AffinePoint::decode(&compressed).expect("a point of the curve");
    assert_eq!(AffinePoint::generate(&scalar), point, "key {i}");
    (scalar, point)
}

fn openssl(arguments: &[&str]) -> Option<Output> {
    match Command::new("openssl").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}
