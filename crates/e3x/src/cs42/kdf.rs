//! HKDF-SHA256 with the labels of the page.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// A secret of 32 bytes that is erased when dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// `HKDF(salt, ikm, info, N)`: RFC 5869 Extract, then Expand. `ikm` and `info` are given in parts.
pub(super) fn hkdf<const N: usize>(
    salt: &[u8],
    ikm: &[&[u8]],
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    let mut extract = hkdf::HkdfExtract::<Sha256>::new(Some(salt));
    ikm.iter().for_each(|part| extract.input_ikm(part));
    let (mut prk, hkdf) = extract.finalize();
    prk.as_mut_slice().zeroize();
    expand_with(&hkdf, info)
}

/// `HKDF-Expand(prk, info, N)`.
pub(super) fn expand<const N: usize>(prk: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; N]> {
    let hkdf = Hkdf::<Sha256>::from_prk(prk).expect("a key of one hash's length is long enough");
    expand_with(&hkdf, &[info])
}

fn expand_with<const N: usize>(hkdf: &Hkdf<Sha256>, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut output = Zeroizing::new([0; N]);
    hkdf.expand_multi_info(info, output.as_mut_slice())
        .expect("every output here is shorter than 255 hashes");
    output
}
