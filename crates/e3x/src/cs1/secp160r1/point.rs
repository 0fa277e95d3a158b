//! Points of secp160r1.

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::field::{self, FIELD_LEN, Field};
use super::scalar::{DIGIT_BITS, Scalar};

/// Bytes of a compressed point.
pub(in super::super) const POINT_LEN: usize = 1 + FIELD_LEN;

/// The b of the curve's equation.
const B: Field = field::constant("000000001c97befc54bd7a8b65acf89f81d4d4adc565fa45");

/// The point that generates the group.
const GENERATOR: AffinePoint = AffinePoint {
    x: field::constant("000000004a96b5688ef573284664698968c38bb913cbfc82"),
    y: field::constant("0000000023a628553168947d59dcc912042351377ac5fb32"),
};

/// Points in the table of a multiplication, one for each digit.
const TABLE_LEN: usize = 1 << DIGIT_BITS;

/// A point of the curve other than the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct AffinePoint {
    x: Field,
    y: Field,
}

impl AffinePoint {
    /// The point of a SEC1 compressed encoding; `None` unless it is the one encoding of a point of
    /// the curve. The identity has no encoding of this length.
    pub(in super::super) fn decode(encoded: &[u8; POINT_LEN]) -> Option<Self> {
        let (&[sign], x) = encoded.split_first_chunk()?;
        let odd = match sign {
            2 => false,
            3 => true,
            _ => return None,
        };
        let x = field::from_bytes(x.try_into().ok()?)?;
        let root = field::root(&right_side(&x))?;
        // No point of the curve has y = 0: it would be of order 2, and the order is an odd prime.
        let y = if is_odd(&root) == odd { root } else { -root };
        Some(Self { x, y })
    }

    /// The SEC1 compressed encoding.
    pub(in super::super) fn encode(&self) -> [u8; POINT_LEN] {
        let mut encoded = [0; POINT_LEN];
        encoded[0] = 2 | u8::from(is_odd(&self.y));
        encoded[1..].copy_from_slice(&field::to_bytes(&self.x));
        encoded
    }

    /// The scalar times the generator.
    pub(in super::super) fn generate(scalar: &Scalar) -> Self {
        GENERATOR.times(scalar)
    }

    /// The x coordinate of the scalar times this point.
    pub(in super::super) fn agree(&self, scalar: &Scalar) -> Zeroizing<[u8; FIELD_LEN]> {
        let product = Zeroizing::new(self.times(scalar));
        Zeroizing::new(field::to_bytes(&product.x))
    }

    /// The scalar times this point: never the identity, as the scalar is below the prime order.
    pub(super) fn times(&self, scalar: &Scalar) -> Self {
        let table = self.table();
        let mut product = Zeroizing::new(Point::IDENTITY);
        for digit in scalar.digits() {
            for _ in 0..DIGIT_BITS {
                *product = product.double();
            }
            *product = product.add(&select(&table, digit));
        }
        product.to_affine()
    }

    /// This point times 0, 1, 2 and so on.
    fn table(&self) -> [Point; TABLE_LEN] {
        let once = Point::from(*self);
        let mut multiple = Point::IDENTITY;
        core::array::from_fn(|_| {
            let entry = multiple;
            multiple = multiple.add(&once);
            entry
        })
    }
}

impl Zeroize for AffinePoint {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

/// A point in projective coordinates: (X/Z, Y/Z), or the identity where Z is zero.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: Field,
    y: Field,
    z: Field,
}

impl Point {
    const IDENTITY: Self = Self {
        x: Field::ZERO,
        y: Field::ONE,
        z: Field::ZERO,
    };

    /// The sum of any two points, the same or not, the identity or not: algorithm 4 of Renes,
    /// Costello and Batina, "Complete addition formulas for prime order elliptic curves" (2015).
    fn add(&self, other: &Self) -> Self {
        let xx = self.x * other.x;
        let yy = self.y * other.y;
        let zz = self.z * other.z;
        let xy = (self.x + self.y) * (other.x + other.y) - xx - yy;
        let yz = (self.y + self.z) * (other.y + other.z) - yy - zz;
        let xz = (self.x + self.z) * (other.x + other.z) - xx - zz;

        let skew = triple(xz - B * zz);
        let (below, above) = (yy - skew, yy + skew);
        let zz = triple(zz);
        let slope = triple(B * xz - zz - xx);
        let tangent = triple(xx) - zz;
        Self {
            x: above * xy - yz * slope,
            y: above * below + tangent * slope,
            z: below * yz + xy * tangent,
        }
    }

    /// Twice this point, whichever it is: algorithm 6 there.
    fn double(&self) -> Self {
        let xx = self.x.square();
        let yy = self.y.square();
        let zz = self.z.square();
        let xy = (self.x * self.y).double();
        let xz = (self.x * self.z).double();
        let yz = (self.y * self.z).double();

        let skew = triple(B * zz - xz);
        let (below, above) = (yy - skew, yy + skew);
        let zz = triple(zz);
        let slope = triple(B * xz - zz - xx);
        let tangent = triple(xx) - zz;
        Self {
            x: below * xy - yz * slope,
            y: above * below + tangent * slope,
            z: (yz * yy).double().double(),
        }
    }

    /// Of the identity, which it must not be, the origin.
    fn to_affine(self) -> AffinePoint {
        let inverse = Zeroizing::new(field::invert(&self.z));
        AffinePoint {
            x: self.x * *inverse,
            y: self.y * *inverse,
        }
    }
}

impl From<AffinePoint> for Point {
    fn from(point: AffinePoint) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: Field::ONE,
        }
    }
}

impl ConditionallySelectable for Point {
    fn conditional_select(a: &Self, b: &Self, choice: subtle::Choice) -> Self {
        Self {
            x: Field::conditional_select(&a.x, &b.x, choice),
            y: Field::conditional_select(&a.y, &b.y, choice),
            z: Field::conditional_select(&a.z, &b.z, choice),
        }
    }
}

impl Zeroize for Point {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

/// The entry for a secret digit: reads all of them.
fn select(table: &[Point; TABLE_LEN], digit: u8) -> Point {
    let mut selected = Point::IDENTITY;
    for (i, entry) in (0_u8..).zip(table) {
        selected.conditional_assign(entry, i.ct_eq(&digit));
    }
    selected
}

/// x³ - 3x + b.
fn right_side(x: &Field) -> Field {
    x.square() * *x - triple(*x) + B
}

fn triple(element: Field) -> Field {
    element.double() + element
}

fn is_odd(element: &Field) -> bool {
    field::to_bytes(element)[FIELD_LEN - 1] & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_curve(point: &AffinePoint) -> bool {
        point.y.square() == right_side(&point.x)
    }

    fn same(a: &Point, b: &Point) -> bool {
        a.x * b.z == b.x * a.z
            && a.y * b.z == b.y * a.z
            && (a.z == Field::ZERO) == (b.z == Field::ZERO)
    }

    #[test]
    fn the_generator_is_on_the_curve() {
        assert!(on_curve(&GENERATOR));
    }

    #[test]
    fn addition_is_complete() {
        let g = Point::from(GENERATOR);
        let minus_g = Point { y: -g.y, ..g };
        let identity = Point::IDENTITY;
        assert!(same(&g.add(&minus_g), &identity));
        assert!(same(&g.add(&identity), &g));
        assert!(same(&identity.add(&g), &g));
        assert!(same(&identity.add(&identity), &identity));
        assert!(same(&identity.double(), &identity));
        assert!(same(&g.add(&g), &g.double()));
        // The same point in other coordinates.
        let two = Field::ONE.double();
        let scaled = Point {
            x: g.x * two,
            y: g.y * two,
            z: two,
        };
        assert!(same(&g.add(&scaled), &g.double()));
        assert!(!same(&g, &g.double()));
    }

    #[test]
    fn addition_is_that_of_chords_and_tangents() {
        let mut sum = GENERATOR;
        let mut complete = Point::from(GENERATOR);
        for _ in 0..200 {
            sum = chord(&sum, &GENERATOR);
            complete = complete.add(&Point::from(GENERATOR));
            assert!(on_curve(&sum));
            assert_eq!(complete.to_affine(), sum);
        }
    }

    /// From the definition; of two points with different x, or the same point.
    fn chord(a: &AffinePoint, b: &AffinePoint) -> AffinePoint {
        let slope = if a == b {
            (triple(a.x.square()) - triple(Field::ONE)) * field::invert(&a.y.double())
        } else {
            (b.y - a.y) * field::invert(&(b.x - a.x))
        };
        let x = slope.square() - a.x - b.x;
        AffinePoint {
            x,
            y: slope * (a.x - x) - a.y,
        }
    }
}
