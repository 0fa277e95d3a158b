//! Against computations of other make: plain arithmetic, multiples computed in Python, OpenSSL.

#[cfg(unix)]
mod openssl;
mod plain;

use std::vec::Vec;

use data_encoding::HEXLOWER;
use rand_core::Rng;

use self::plain::Plain;
use super::field::{self, Field};
use super::*;
use crate::cs1::tests::rng;

/// The order of the curve.
const ORDER: &str = "0100000000000000000001f4c8f927aed3ca752257";

/// Numbers, and the encoded generator times each, from affine arithmetic on Python's integers. The
/// largest one is the order less one.
const MULTIPLES: &[(&str, &str)] = &[
    (
        "000000000000000000000000000000000000000001",
        "024a96b5688ef573284664698968c38bb913cbfc82",
    ),
    (
        "000000000000000000000000000000000000000002",
        "0302f997f33c5ed04c55d3edf8675d3e92e8f46686",
    ),
    (
        "000000000000000000000000000000000000000003",
        "027b76ff541ef363f2df13de1650bd48daa958bc59",
    ),
    (
        "000000000000000000000000000000000000000004",
        "02b4041d8683be99f0afe01c307b1ad4c100cf2a88",
    ),
    (
        "000000000000000000000000000000000000000005",
        "02e705b180e41192ed772d1e2d424c171303ad6c4e",
    ),
    (
        "00000000000000000000000000000000000000000f",
        "027da67ee83fb143eadd34165e830d92cf98012168",
    ),
    (
        "000000000000000000000000000000000000000010",
        "02b32f7dfa2a82b99b5cac2772aa6661be5f315034",
    ),
    (
        "000000000000000000000000000000000000000011",
        "02f5e59728842fa97f4cc8271d49bc84421f06a403",
    ),
    (
        "0005805975ed2f89d94a2f20aaf3c64af775a89295",
        "03218ab76e5ee614be7e6b4f127a3b9ca4971148ad",
    ),
    (
        "0018072e8c35bf992dc9e9c616612e7696a6cecc1c",
        "03509ef496df54bac970976ef4b1224410aeb5e882",
    ),
    (
        "007204e52db2221a58008a05a6c4647159c324c986",
        "03e574efe7ce4d3b8e43305caf635c7b1f66156d5a",
    ),
    (
        "007311d8a3c2ce6f447ed4d57b1e2feb89414c343d",
        "0355333457a38cc26bc0f17d7360d95ce98b6ac78c",
    ),
    (
        "008000000000000000000000000000000000000000",
        "03677729c1e107d9a566cf1257ad56c48bcaf2e06c",
    ),
    (
        "0080000000000000000000fa647c93d769e53a912b",
        "0210095f05b8f95920fd785d5c6003ee2a7f0ca3d1",
    ),
    (
        "00c386bbc4cd613e30d8f16adf91b7584a2265b1f6",
        "0240b657149ff5d2ec6706bea29a38a90d10376ae4",
    ),
    (
        "00f1fd42a29755d4c13a902931cd447e35b8b6d8ff",
        "03653a644ba56556c4d1f57ef7ba81b46ca577af79",
    ),
    (
        "00ffffffffffffffffffffffffffffffffffffffff",
        "026c3376c8f0775ace58d29e87021f050d40f6dc02",
    ),
    (
        "010000000000000000000000000000000000000000",
        "0341e8f08cf69be2deab92b2e6ba0ac1f65ca3c07a",
    ),
    (
        "010000000000000000000000000000000000000001",
        "03a860e60906a009b7610ecdb1ae1141ca11dcd96e",
    ),
    (
        "0100000000000000000001f4c8f927aed3ca752255",
        "0202f997f33c5ed04c55d3edf8675d3e92e8f46686",
    ),
    (
        "0100000000000000000001f4c8f927aed3ca752256",
        "034a96b5688ef573284664698968c38bb913cbfc82",
    ),
];

fn bytes<const LEN: usize>(hex: &str) -> [u8; LEN] {
    let bytes = HEXLOWER.decode(hex.as_bytes()).expect("hex");
    bytes.try_into().expect("that many bytes")
}

fn scalar(hex: &str) -> Scalar {
    Scalar::from_bytes(&bytes(hex)).expect("a scalar")
}

fn point(encoded: &str) -> AffinePoint {
    AffinePoint::decode(&bytes(encoded)).expect("a point of the curve")
}

/// Values where carries and reductions happen, and random ones.
fn elements() -> Vec<[u8; FIELD_LEN]> {
    let mut elements: Vec<_> = [
        "0000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000001",
        "0000000000000000000000000000000000000002",
        "0000000000000000000000000000000080000000",
        "0000000000000000000000000000000080000001",
        "00000000ffffffffffffffffffffffffffffffff",
        "7fffffffffffffffffffffffffffffffffffffff",
        "8000000000000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffff00000000",
        "ffffffffffffffffffffffffffffffff7ffffffd",
        "ffffffffffffffffffffffffffffffff7ffffffe",
    ]
    .map(bytes)
    .into();
    let mut rng = rng(1);
    elements.extend((0..40).map(|_| {
        let mut element = [0; FIELD_LEN];
        rng.fill_bytes(&mut element);
        // Below p, and with every length.
        element[0] &= 0x7f;
        let zeros = rng.next_u32() as usize % FIELD_LEN;
        element[..zeros].fill(0);
        element
    }));
    elements
}

fn element(bytes: &[u8; FIELD_LEN]) -> Field {
    field::from_bytes(bytes).expect("below p")
}

#[test]
fn field_arithmetic_is_arithmetic_modulo_p() {
    for a in elements() {
        let (fast_a, plain_a) = (element(&a), Plain::from_bytes(&a));
        assert_eq!(field::to_bytes(&fast_a), a);
        assert_eq!(
            field::to_bytes(&fast_a.square()),
            plain_a.times(plain_a).to_bytes()
        );
        assert_eq!(
            field::to_bytes(&fast_a.double()),
            plain_a.plus(plain_a).to_bytes()
        );
        for b in elements() {
            let (fast_b, plain_b) = (element(&b), Plain::from_bytes(&b));
            assert_eq!(
                field::to_bytes(&(fast_a + fast_b)),
                plain_a.plus(plain_b).to_bytes()
            );
            assert_eq!(
                field::to_bytes(&(fast_a * fast_b)),
                plain_a.times(plain_b).to_bytes()
            );
            let difference = field::to_bytes(&(fast_a - fast_b));
            assert_eq!(Plain::from_bytes(&difference).plus(plain_b), plain_a);
        }
    }
}

#[test]
fn inverses_and_roots_are_such() {
    let mut roots = 0;
    for a in elements() {
        let (fast, plain) = (element(&a), Plain::from_bytes(&a));
        let inverse = Plain::from_bytes(&field::to_bytes(&field::invert(&fast)));
        let expected = if plain == Plain::ZERO {
            Plain::ZERO
        } else {
            Plain::ONE
        };
        assert_eq!(plain.times(inverse), expected);

        let square = element(&plain.times(plain).to_bytes());
        let root = field::root(&square).expect("a square");
        assert!(root == fast || root == -fast);
        let root = field::root(&fast);
        assert_eq!(root.is_some(), plain.is_square());
        roots += u32::from(root.is_some());
    }
    assert!(roots > 10);
}

#[test]
fn field_elements_are_below_p() {
    let p = "ffffffffffffffffffffffffffffffff7fffffff";
    assert!(field::from_bytes(&bytes(p)).is_none());
    assert!(field::from_bytes(&[0xff; FIELD_LEN]).is_none());
}

#[test]
fn multiples_of_the_generator_are_those_of_python() {
    for (number, multiple) in MULTIPLES {
        let product = AffinePoint::generate(&scalar(number));
        assert_eq!(HEXLOWER.encode(&product.encode()), *multiple, "{number}");
        assert_eq!(point(multiple), product, "{number}");
    }
}

#[test]
fn scalars_are_from_one_to_below_the_order() {
    let (last, _) = MULTIPLES.last().expect("some");
    assert!(Scalar::from_bytes(&bytes(last)).is_some());
    let mut order: [u8; SCALAR_LEN] = bytes(ORDER);
    assert!(Scalar::from_bytes(&order).is_none());
    order[20] += 1;
    assert!(Scalar::from_bytes(&order).is_none());
    assert!(Scalar::from_bytes(&[0xff; SCALAR_LEN]).is_none());
    assert!(Scalar::from_bytes(&[0; SCALAR_LEN]).is_none());
}

#[test]
fn both_sides_agree_and_the_largest_scalar_negates() {
    let (largest, _) = MULTIPLES.last().expect("some");
    for (one, its_point) in MULTIPLES {
        let (one, its_point) = (scalar(one), point(its_point));
        // Minus one times a point has the same x and the other sign.
        let mut negated = its_point.times(&scalar(largest)).encode();
        negated[0] ^= 1;
        assert_eq!(negated, its_point.encode());
        for (other, other_point) in MULTIPLES {
            let (other, other_point) = (scalar(other), point(other_point));
            assert_eq!(*other_point.agree(&one), *its_point.agree(&other));
        }
    }
}

#[test]
fn every_scalar_has_41_digits() {
    for (number, _) in MULTIPLES {
        let digits: Vec<_> = scalar(number).digits().collect();
        assert_eq!(digits.len(), 41);
        let spelled = digits.iter().map(|digit| std::format!("{digit:x}"));
        assert_eq!(spelled.collect::<std::string::String>(), number[1..]);
    }
}

#[test]
fn only_points_of_the_curve_decode() {
    let mut on_curve = 0;
    for x in elements() {
        let plain = Plain::from_bytes(&x);
        for sign in [2, 3] {
            let encoded: [u8; POINT_LEN] =
                core::array::from_fn(|i| if i == 0 { sign } else { x[i - 1] });
            let decoded = AffinePoint::decode(&encoded);
            assert_eq!(decoded.is_some(), plain.is_x_of_a_point(), "{x:02x?}");
            assert!(decoded.is_none_or(|point| point.encode() == encoded));
            on_curve += u32::from(decoded.is_some());
        }
    }
    assert!(on_curve > 20);
}
