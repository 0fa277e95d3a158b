//! The picture on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::state::State;
use crate::record::{ParticipantRecord, Presence};

/// Columns of the list of who takes part, and how many there have to be for it to be shown.
const PEOPLE: u16 = 24;
const WIDE: u16 = 64;

/// Draws everything, as far as there is room.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let area = frame.area();
    let rows = |height: u16| u16::from(area.height >= height);
    let [top, middle, status, bottom] = Layout::vertical([
        Constraint::Length(rows(4)),
        Constraint::Fill(1),
        Constraint::Length(rows(3)),
        Constraint::Length(1),
    ])
    .areas(area);
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(title(state)).style(bar), top);
    let people = if area.width >= WIDE { PEOPLE } else { 0 };
    let [said, people] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(people)]).areas(middle);
    draw_said(frame, state, said);
    draw_people(frame, state, people);
    let dim = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Paragraph::new(status_line(state)).style(dim), status);
    draw_input(frame, state, bottom);
}

fn title(state: &State) -> String {
    let online = { state.people.iter() }
        .filter(|one| one.state != Presence::Offline)
        .count();
    let others = state.people.len();
    format!(
        " {} · you are {} · {online} of {others} others here",
        state.title, state.name
    )
}

/// What was said, the newest at the bottom.
fn draw_said(frame: &mut Frame<'_>, state: &mut State, area: Rect) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    state.size = (width, height);
    let wanted = state.scroll.saturating_add(height);
    // From the bottom up, no further than is seen.
    let mut lines = Vec::new();
    for item in state.items.iter().rev() {
        if lines.len() >= wanted {
            break;
        }
        lines.extend(item.lines(width).into_iter().rev());
    }
    let furthest = lines.len().saturating_sub(height);
    if state.scroll > furthest {
        state.scroll = furthest;
        if furthest == 0 {
            state.unseen = 0;
        }
    }
    let seen = lines.into_iter().skip(state.scroll).take(height);
    let mut seen: Vec<Line<'_>> = seen.collect();
    seen.reverse();
    frame.render_widget(Paragraph::new(seen), area);
}

fn draw_people(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let block = Block::new().borders(Borders::LEFT);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines: Vec<Line<'_>> = state.people.iter().map(person).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn person(one: &ParticipantRecord) -> Line<'_> {
    let colour = match one.state {
        Presence::Online => Color::Green,
        Presence::Typing => Color::Cyan,
        Presence::Away => Color::Yellow,
        Presence::Offline => Color::DarkGray,
    };
    // The state comes first: a long name is cut.
    let state = match one.state {
        Presence::Online => String::new(),
        state => format!("{} ", state.word()),
    };
    Line::from(vec![
        Span::styled("● ", Style::new().fg(colour)),
        Span::styled(state, Style::new().fg(colour)),
        Span::raw(one.name.as_str()),
        Span::raw(if one.leads { " (leads)" } else { "" }),
    ])
}

fn status_line(state: &State) -> String {
    if state.leaving {
        return " leaving, once what you said has arrived; Ctrl-C: at once".to_owned();
    }
    if !state.is_joined() {
        return " waiting to be let in; Ctrl-C: leave".to_owned();
    }
    if state.scroll > 0 {
        return match state.unseen {
            0 => " scrolled back; PgDn: on".to_owned(),
            unseen => format!(" scrolled back, {unseen} new below; PgDn: on"),
        };
    }
    let typing: Vec<&str> = { state.people.iter() }
        .filter(|one| one.state == Presence::Typing)
        .map(|one| one.name.as_str())
        .collect();
    match (state.editing, &typing[..]) {
        (true, _) => " changing what you said last; Esc: not".to_owned(),
        (_, []) => " /help: what there is".to_owned(),
        (_, [one]) => format!(" {one} is typing"),
        (_, several) => format!(" {} are typing", several.join(", ")),
    }
}

fn draw_input(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let prompt = if state.editing { "edit> " } else { "> " };
    let [before, field] = Layout::horizontal([
        Constraint::Length(u16::try_from(prompt.len()).unwrap_or(0)),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(prompt), before);
    // One column for the cursor behind the last character.
    let scroll = state
        .editor
        .visual_scroll(usize::from(field.width.saturating_sub(1)));
    let text = Paragraph::new(state.editor.value());
    frame.render_widget(
        text.scroll((0, u16::try_from(scroll).unwrap_or(u16::MAX))),
        field,
    );
    let column = state.editor.visual_cursor().saturating_sub(scroll);
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    if column < field.width && field.height > 0 {
        frame.set_cursor_position(Position::new(field.x + column, field.y));
    }
}
