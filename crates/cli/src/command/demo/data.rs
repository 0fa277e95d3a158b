//! What is transferred: bytes that neither repeat nor compress, and their SHA-256.

use sha2::{Digest as _, Sha256};

/// A made-up file, block by block.
pub(super) struct Noise {
    state: u64,
    left: u64,
}

/// Sums up what passes.
#[derive(Clone, Default)]
pub(super) struct Checksum {
    hash: Sha256,
    pub(super) bytes: u64,
}

impl Noise {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            state: bytes,
            left: bytes,
        }
    }

    /// Fills `block`, or as much of it as is left; the number of bytes.
    pub(super) fn fill(&mut self, block: &mut [u8]) -> usize {
        let count = block
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for part in block[..count].chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
        self.left -= count as u64;
        count
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Checksum {
    pub(super) fn add(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.bytes += data.len() as u64;
    }

    /// What a file is called counts, but not its bytes.
    pub(super) fn name(&mut self, name: &str) {
        self.hash.update((name.len() as u64).to_le_bytes());
        self.hash.update(name);
    }

    pub(super) fn hex(self) -> String {
        self.hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_its_size_and_is_always_the_same() {
        let read = |block: usize| {
            let (mut noise, mut checksum) = (Noise::new(1000), Checksum::default());
            let mut block = vec![0; block];
            loop {
                match noise.fill(&mut block) {
                    0 => break (checksum.bytes, checksum.hex()),
                    count => checksum.add(&block[..count]),
                }
            }
        };
        assert_eq!(read(64).0, 1000);
        assert_eq!(read(64), read(256));
    }

    #[test]
    fn the_checksum_is_sha_256() {
        let mut checksum = Checksum::default();
        checksum.add(b"abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(checksum.hex(), expected);
    }
}
