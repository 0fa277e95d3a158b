//! Web sites: a folder as one, and the names under which endpoints are some.

mod folder;
mod listing;
mod sockets;

use std::time::Duration;

use mesh::thtp::proxy::NameError;
use mesh::{Link, LinkError, Mesh, TargetError};

pub(crate) use self::folder::Folder;
pub(crate) use self::sockets::{WebSockets, to_server};

/// The link of an endpoint whose name a browser asked for.
pub(crate) async fn link(mesh: Mesh, name: String, wait: Duration) -> Result<Link, NameError> {
    let before = mesh.links();
    // Browsers know no upper case in names, aliases do.
    let known = mesh.known().all();
    let alias = known.into_iter().find_map(|known| {
        let alias = known.alias?;
        alias.eq_ignore_ascii_case(&name).then_some(alias)
    });
    let linked = mesh.link(alias.unwrap_or(name)).await;
    let link = linked.map_err(|error| match error {
        LinkError::Target(TargetError::Name(error)) => NameError::Unknown(error.to_string()),
        error => NameError::Unreachable(error.to_string()),
    })?;
    match link.wait_up(wait).await {
        Ok(()) => Ok(link),
        Err(error) => {
            if !before.contains(&link) {
                link.close();
            }
            Err(NameError::Unreachable(error.to_string()))
        }
    }
}
