//! Where encoded headers go: into a buffer, or merely counted.

use alloc::vec::Vec;

/// Takes encoded bytes. One encoder for both kinds keeps the counted length exact.
pub(super) trait Sink {
    /// Takes some bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Takes `number` in decimal.
    fn put_decimal(&mut self, number: u32) {
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            at -= 1;
            if rest == 0 {
                break;
            }
        }
        self.put(&digits[at..]);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts the bytes put into it.
pub(super) struct Count(pub(super) usize);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn put_decimal(&mut self, number: u32) {
        self.0 += number.checked_ilog10().map_or(1, |log| log as usize + 1);
    }
}
