//! Arithmetic modulo p without a thought for speed: one bit after the other.

use crate::cs1::secp160r1::FIELD_LEN;

/// An integer below p: `high * 2^128 + low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plain {
    high: u64,
    low: u128,
}

impl Plain {
    pub(super) const ZERO: Self = Self { high: 0, low: 0 };
    pub(super) const ONE: Self = Self { high: 0, low: 1 };
    /// 2^160 - 2^31 - 1.
    const PRIME: Self = Self {
        high: (1 << 32) - 1,
        low: u128::MAX - (1 << 31),
    };
    const B: Self = Self {
        high: 0x1c97_befc,
        low: 0x54bd_7a8b_65ac_f89f_81d4_d4ad_c565_fa45,
    };

    pub(super) fn from_bytes(bytes: &[u8; FIELD_LEN]) -> Self {
        let (high, low) = bytes.split_first_chunk().expect("20 bytes");
        Self {
            high: u32::from_be_bytes(*high).into(),
            low: u128::from_be_bytes(low.try_into().expect("the other 16")),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; FIELD_LEN] {
        let high = u32::try_from(self.high).expect("below p").to_be_bytes();
        let low = self.low.to_be_bytes();
        core::array::from_fn(|i| if i < 4 { high[i] } else { low[i - 4] })
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high + other.high + u64::from(carry);
        let sum = Self { high, low };
        if sum >= Self::PRIME {
            sum.less(Self::PRIME)
        } else {
            sum
        }
    }

    pub(super) fn times(self, other: Self) -> Self {
        let doubled_and_added = |product: Self, bit: bool| {
            let product = product.plus(product);
            if bit { product.plus(self) } else { product }
        };
        other.bits().fold(Self::ZERO, doubled_and_added)
    }

    /// By the criterion of Euler.
    pub(super) fn is_square(self) -> bool {
        let half = Self::PRIME.less(Self::ONE).half();
        self == Self::ZERO || self.power(half) == Self::ONE
    }

    pub(super) fn is_x_of_a_point(self) -> bool {
        let minus_three = Self::PRIME.less(Self { high: 0, low: 3 });
        let slope = self.times(self).plus(minus_three);
        slope.times(self).plus(Self::B).is_square()
    }

    fn power(self, exponent: Self) -> Self {
        let squared_and_multiplied = |power: Self, bit: bool| {
            let power = power.times(power);
            if bit { power.times(self) } else { power }
        };
        exponent.bits().fold(Self::ONE, squared_and_multiplied)
    }

    /// Highest first.
    fn bits(self) -> impl Iterator<Item = bool> {
        let high = (0..32).rev().map(move |i| self.high >> i & 1 == 1);
        high.chain((0..128).rev().map(move |i| self.low >> i & 1 == 1))
    }

    fn half(self) -> Self {
        Self {
            high: self.high >> 1,
            low: self.low >> 1 | u128::from(self.high & 1) << 127,
        }
    }

    /// Of a smaller one.
    fn less(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let high = self.high - other.high - u64::from(borrow);
        Self { high, low }
    }
}
