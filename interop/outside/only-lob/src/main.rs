//! Encodes, cloaks, decloaks and decodes one channel packet, with nothing but the packet codec.

use telehash_lob::{ChannelHeader, Compression, cloak};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut header = ChannelHeader::new(1);
    header.seq = Some(1);
    let mut wire = cloak::make_nonce(*b"8 random").to_vec();
    header.encode_into(&mut wire, b"hello", Compression::None)?;
    cloak::cloak_in_place(&mut wire);

    let offset = cloak::decloak_in_place(&mut wire, &mut cloak::WorkBudget::default())?;
    let packet = &wire[offset..];
    let (read, body) = ChannelHeader::decode(packet, Compression::None)?;
    assert_eq!((read.channel, read.seq, &packet[body]), (1, Some(1), &b"hello"[..]));
    println!("a channel packet of {} bytes survived its cloak", packet.len());
    Ok(())
}
