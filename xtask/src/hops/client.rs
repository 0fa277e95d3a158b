//! A client of HTTP/1.1 that keeps its connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::nginx::BODY;

/// What one response may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A way to the server.
pub(super) struct Road {
    name: &'static str,
    address: SocketAddr,
    request: String,
}

impl Road {
    /// Through whatever listens at `address`, for this host.
    pub(super) fn new(name: &'static str, address: SocketAddr, host: &str) -> Self {
        let port = address.port();
        Self {
            name,
            address,
            request: format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n\r\n"),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Requests a second of as many clients at once. Their connections are there before.
    pub(super) fn rate(&self, clients: usize, each: usize) -> Result<f64> {
        let start = Barrier::new(clients + 1);
        thread::scope(|scope| {
            let work = || {
                let connection = self.connect();
                start.wait();
                let mut connection = connection?;
                (0..each).try_for_each(|_| connection.get(&self.request))
            };
            let threads: Vec<_> = (0..clients).map(|_| scope.spawn(work)).collect();
            start.wait();
            let since = Instant::now();
            for thread in threads {
                let done = thread.join().map_err(|_| anyhow!("a client panicked"))?;
                done.with_context(|| format!("through {}", self.name))?;
            }
            Ok((clients * each) as f64 / since.elapsed().as_secs_f64())
        })
    }

    /// Microseconds that a request takes while there is no other: the median of so many.
    pub(super) fn delay(&self, requests: usize) -> Result<f64> {
        let mut connection = self.connect()?;
        let mut delays = Vec::with_capacity(requests);
        for _ in 0..requests {
            let since = Instant::now();
            connection.get(&self.request)?;
            delays.push(since.elapsed().as_secs_f64() * 1e6);
        }
        Ok(super::median(&delays))
    }

    /// A connection that has carried a request, and so has every other one behind it.
    fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut connection = Connection(BufReader::new(stream));
        connection.get(&self.request)?;
        Ok(connection)
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Sends the request and reads the response, which has to be the right one.
    fn get(&mut self, request: &str) -> Result<()> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        ensure!(
            line.starts_with("HTTP/1.1 200 "),
            "the answer is `{}`",
            line.trim()
        );
        let mut length = None;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            match header.split_once(':') {
                Some(("content-length", value)) => length = Some(value.trim().parse::<usize>()?),
                Some(_) => {}
                None if header.is_empty() => break,
                None => bail!("a header is `{header}`"),
            }
        }
        ensure!(length == Some(BODY.len()), "the length is {length:?}");
        let mut body = [0; BODY.len()];
        self.0.read_exact(&mut body)?;
        ensure!(body == *BODY.as_bytes(), "another body came");
        Ok(())
    }
}
