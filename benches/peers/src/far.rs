//! The far end of a measurement, in this process or in one of its own.

use std::fmt;

use anyhow::Result;

use crate::{
    library::{self, Server},
    process::Process,
};

/// Where the two ends of a link are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    One,
    Two,
}

impl Processes {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];
}

impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one process",
            Self::Two => "two processes",
        })
    }
}

/// A running far end.
pub struct FarEnd {
    address: String,
    place: Place,
}

enum Place {
    Here(Box<dyn Server>),
    There(Box<Process>),
}

impl FarEnd {
    /// Starts that of a library or variant.
    pub async fn start(name: &str, processes: Processes) -> Result<Self> {
        if processes == Processes::Two {
            return Self::with(&["serve", name]).await;
        }
        let server = library::named(name)?.serve().await?;
        Ok(Self {
            address: server.address(),
            place: Place::Here(server),
        })
    }

    /// Starts a process with these arguments, which first says its address.
    pub async fn with(arguments: &[&str]) -> Result<Self> {
        let mut process = Process::start(arguments)?;
        Ok(Self {
            address: process.hear().await?,
            place: Place::There(Box::new(process)),
        })
    }

    /// How it is reached.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of its process, if that is another one.
    pub fn process(&self) -> Option<u32> {
        match &self.place {
            Place::Here(_) => None,
            Place::There(process) => Some(process.id()),
        }
    }

    /// Links it to these addresses.
    pub async fn reach(&mut self, addresses: &[String]) -> Result<()> {
        match &mut self.place {
            Place::Here(server) => {
                for address in addresses {
                    server.reach(address).await?;
                }
                Ok(())
            }
            Place::There(process) => {
                process.tell(addresses).await?;
                process.done(addresses.len()).await
            }
        }
    }

    /// Ends it.
    pub async fn stop(self) -> Result<()> {
        match self.place {
            Place::Here(_) => Ok(()),
            Place::There(process) => process.end().await,
        }
    }
}
