//! Reads somebody's link JSON and says who it is, with nothing but the hashname crate.

use telehash_hashname::{Csid, KeySet, LinkJson, Path};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32])?;
    let mut link = LinkJson::new(keys)?;
    link.paths.push(Path::udp("192.0.2.1:42424".parse()?));

    let read = LinkJson::parse(&link.to_string())?;
    assert_eq!(read.hashname, link.hashname);
    assert_eq!(read.paths, link.paths);
    println!("{} at {} path", read.hashname, read.paths.len());
    Ok(())
}
