//! `mesh chat`: rooms of people.

use std::io::{self, IsTerminal as _};

use mesh::chat::limits::MAX_NAME;
use tokio::sync::mpsc;

use crate::access::Access;
use crate::args::{Accept, Chat, Global, Listen, Talk};
use crate::chat::{self, INPUT_CAPACITY, Lines, Screen};
use crate::endpoint::Listening;
use crate::failure::{Failure, Outcome};
#[cfg(unix)]
use crate::operation::Request;
use crate::report::Report;
#[cfg(unix)]
use crate::signal::interruptible;
use crate::target;

pub(crate) async fn run(global: &Global, options: Chat) -> Outcome {
    let Chat { talk, plain, at } = options;
    let mut talk = checked(talk, &at)?;
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let on_screen = terminal && !plain && !global.json;
    talk.patient = on_screen;
    let look = |inputs, records| match on_screen {
        true => Look::Screen(Screen::start(inputs, records)),
        false => Look::Lines(Lines::start(global.json, inputs, records)),
    };
    let (input, mut inputs) = mpsc::channel(INPUT_CAPACITY);
    let (mut report, records) = Report::hand();
    match Access::open(global, &listening(&talk, &at)).await? {
        #[cfg(unix)]
        Access::Running(client) => {
            at.refuse_for_running()?;
            let request = Request::Chat(talk);
            let work = async {
                let look = look(input, records);
                let chat = async move { client.chat(&request, &mut inputs, &mut report).await };
                look.with(chat).await
            };
            interruptible(work).await
        }
        Access::Own(endpoint) => {
            let work = async {
                let look = look(input, records);
                let talk = &talk;
                let endpoint = &endpoint;
                let chat =
                    async move { chat::perform(endpoint, talk, &mut inputs, &mut report).await };
                look.with(chat).await
            };
            endpoint.while_up(work).await
        }
    }
}

/// How the chat is looked at.
enum Look {
    Screen(Screen),
    Lines(Lines),
}

impl Look {
    async fn with(self, chat: impl Future<Output = Outcome>) -> Outcome {
        match self {
            Self::Screen(screen) => screen.with(chat).await,
            Self::Lines(lines) => lines.with(chat).await,
        }
    }
}

/// Whoever leads waits for others, who know where; whoever joins only dials.
fn listening(talk: &Talk, at: &Listen) -> Listening {
    at.listening(talk.lead.is_some())
}

fn checked(mut talk: Talk, at: &Listen) -> Outcome<Talk> {
    if at.accept == Accept::Ask {
        return Err(Failure::usage(
            "a chat cannot ask about strangers at the terminal, where it reads what is said",
        )
        .hint("give an invite to whoever is to come; with --ask, /admit decides about each"));
    }
    talk.target = talk.target.as_deref().map(target::expand).transpose()?;
    for (what, text) in [("--lead", &talk.lead), ("--name", &talk.name)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() || text.len() > MAX_NAME {
            return Err(Failure::usage(format_args!(
                "{what} takes a name of 1 to {MAX_NAME} bytes"
            )));
        }
    }
    Ok(talk)
}
