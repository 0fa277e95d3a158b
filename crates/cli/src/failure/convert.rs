//! The library's errors, as failures of a command.

use mesh::state::{KnownLinkError, StateError};
use mesh::transport::TransportError;
use mesh::{BuildError, DiscoverError, InviteError, LinkError, ShareError, TargetError};

use super::Failure;

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Transport(TransportError::PortInUse { address, .. }) => Self::failed(
                format_args!("the UDP address {address} is in use by another program"),
            )
            .hint("stop that program, or choose another port; port 0 takes any free one"),
            BuildError::State(error) => error.into(),
            BuildError::Discover(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

impl From<DiscoverError> for Failure {
    fn from(error: DiscoverError) -> Self {
        match error {
            DiscoverError::Unsupported => Self::usage(
                "the endpoint cannot announce itself: it listens on no address of a local network",
            )
            .hint("leave --udp out, or name an address that is not a loopback one"),
            error => Self::failed(error),
        }
    }
}

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Alias(error) => error.into(),
            InviteError::NobodyAccepted => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

impl From<ShareError> for Failure {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Invite(error) => error.into(),
            error @ (ShareError::NoRouter | ShareError::NotFromRouter(_)) => Self::failed(error)
                .hint("`mesh up --via ROUTER` uses one; there, `mesh up --router` routes for all"),
            error => Self::failed(error),
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::failed(error)
    }
}

impl From<KnownLinkError> for Failure {
    fn from(error: KnownLinkError) -> Self {
        match error {
            KnownLinkError::Full => Self::failed(error),
            error => Self::usage(error),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Name(error) => error.into(),
            error => Self::usage(error),
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Target(error) => error.into(),
            LinkError::OwnHashname => Self::usage(error),
            LinkError::KeysUnknown(_)
            | LinkError::NoPath { .. }
            | LinkError::NobodyFound(_)
            | LinkError::NotFound { .. }
            | LinkError::NotShared { .. } => Self::unreachable(error),
            error => Self::failed(error),
        }
    }
}
