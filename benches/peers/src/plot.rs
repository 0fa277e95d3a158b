//! Plots of results: a bar for each, with the range of the rounds, and a mark at its bound.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::{coord::Shift, prelude::*};

use crate::{
    figures::{Bound, Row, Summary},
    scenario::Scenario,
};

const WIDTH: u32 = 900;
const ROW_HEIGHT: u32 = 34;
const LABEL_WIDTH: u32 = 430;
const FONT: (&str, u32) = ("sans-serif", 13);
const GOOD: RGBColor = RGBColor(70, 130, 180);
const BELOW: RGBColor = RGBColor(205, 110, 60);

/// Draws the results of one scenario: ratios, or values of what has nothing beside it.
pub fn draw(path: &Path, scenario: Scenario, rows: &[Row]) -> Result<()> {
    let height = 110 + ROW_HEIGHT * rows.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let drawn = area
        .fill(&WHITE)
        .map_err(|error| error.to_string())
        .and_then(|()| bars(&area, scenario, rows).map_err(|error| error.to_string()))
        .and_then(|()| area.present().map_err(|error| error.to_string()));
    drawn.map_err(|error| anyhow!("could not draw {}: {error}", path.display()))
}

fn bars<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    scenario: Scenario,
    rows: &[Row],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let mut chart = ChartBuilder::on(area)
        .caption(scenario.title(), ("sans-serif", 17))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(LABEL_WIDTH)
        .build_cartesian_2d(0.0..most(rows), 0.0..rows.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc("ratio, or value where nothing is beside it; a red mark is the bound")
        .label_style(FONT)
        .draw()?;
    // The first row is at the top.
    for (at, row) in rows.iter().rev().enumerate() {
        let bottom = at as f64;
        let (_, y) = chart.backend_coord(&(0.0, bottom + 0.6));
        area.draw(&Text::new(describe(row), (10, y), FONT))?;
        let Some(Summary { median, low, high }) = row.result() else {
            continue;
        };
        let colour = if row.is_ok() { GOOD } else { BELOW };
        let bar = [(0.0, bottom + 0.2), (median, bottom + 0.8)];
        chart.draw_series([Rectangle::new(bar, colour.filled())])?;
        let line = |ends: [(f64, f64); 2], style: ShapeStyle| PathElement::new(ends, style);
        chart.draw_series([
            line([(low, bottom + 0.5), (high, bottom + 0.5)], BLACK.into()),
            line([(low, bottom + 0.35), (low, bottom + 0.65)], BLACK.into()),
            line([(high, bottom + 0.35), (high, bottom + 0.65)], BLACK.into()),
        ])?;
        if let Some(bound) = row.bound.map(Bound::limit) {
            let mark = [(bound, bottom + 0.05), (bound, bottom + 0.95)];
            chart.draw_series([line(mark, RED.stroke_width(2))])?;
        }
    }
    Ok(())
}

fn describe(row: &Row) -> String {
    let Row {
        figure,
        setting,
        ours,
        theirs,
        ..
    } = row;
    match theirs {
        Some(theirs) => format!("{figure}: {} / {}, {setting}", ours.name, theirs.name),
        None => format!("{figure}: {}, {setting}", ours.name),
    }
}

/// Where the axis ends.
fn most(rows: &[Row]) -> f64 {
    let results = rows.iter().filter_map(|row| Some(row.result()?.high));
    let bounds = rows.iter().filter_map(|row| Some(row.bound?.limit()));
    let most = results.chain(bounds).fold(0.0, f64::max);
    if most > 0.0 { most * 1.05 } else { 1.0 }
}
