//! Look-ups at real servers on the loopback interface: of DNS, and of the web with certificates of our
//! own.

mod dns;
mod fetching;
mod name_server;
mod order;
mod web;
mod web_server;

use telehash_hashname::{Csid, KeySet, LinkJson, Path};
use telehash_resolve::{Found, LookUpError, LookUps, NotFound, Place, Source};
use telehash_uri::LinkUri;

/// An endpoint of two keys, one of which takes two strings in DNS, and one path.
fn endpoint(number: u8) -> LinkJson {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![number; 32]).unwrap();
    keys.insert_key(Csid::CS2A, vec![number; 294]).unwrap();
    let mut link = LinkJson::new(keys).unwrap();
    let at = ([192, 0, 2, number], 42424);
    link.paths.push(Path::udp(at.into()));
    link
}

fn uri(number: u8) -> String {
    LinkUri::for_link(&endpoint(number)).unwrap().to_string()
}

fn place(uri: &str) -> Place {
    Place::of(&LinkUri::parse(uri).unwrap().uri).unwrap()
}

/// Why this source found nobody.
fn reason(result: &Result<Found, NotFound>, source: Source) -> LookUpError {
    let not_found = result.as_ref().expect_err("somebody was found");
    let of_source = not_found.reasons.iter().find(|(asked, _)| *asked == source);
    of_source.expect("it was asked").1.clone()
}

/// Asks these servers and nobody else.
async fn look_ups(names: &name_server::NameServer) -> LookUps {
    LookUps::new().name_servers([names.address])
}
