//! A site on one endpoint, and the proxy of another.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{Up, World};

/// Somebody who serves a folder, and the proxy of somebody who may see it.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) server: Up,
    pub(crate) proxy: Up,
}

impl Site {
    pub(crate) fn new() -> Self {
        let world = World::new();
        std::fs::create_dir(world.path("site")).unwrap();
        world.write("site/index.html", "<p>hello");
        world.write("site/large", super::noise(3 << 20));
        Self::serving(world, "site")
    }

    /// Of whom serves this folder or URL.
    pub(crate) fn serving(world: World, what: &str) -> Self {
        let server = world.serve([what, "--id", "a.json", "--accept", "all"]);
        let known = server.link();
        let add = ["links", "add", &known, "--alias", "bob", "--state", "s"];
        world.run(add).ok();
        let proxy = world.proxy(["--state", "s"]);
        Self {
            world,
            server,
            proxy,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        port(&self.proxy)
    }

    /// What the proxy says to this, until it closes the connection. `PORT` stands for its port.
    pub(crate) fn raw(&self, request: &str) -> String {
        raw(self.port(), request)
    }

    pub(crate) fn status(&self, head: &str) -> u16 {
        let answer = self.raw(head);
        let status = answer
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("to {head:?}: {answer:?}"));
        status.parse().unwrap()
    }
}

/// Where a proxy listens.
pub(crate) fn port(proxy: &Up) -> u16 {
    let address = proxy.ready["address"].as_str().unwrap();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// What the proxy at this port says, until it closes the connection.
pub(crate) fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = request.replace("PORT", &port.to_string());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whoever is refused may find the connection reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
