//! The page, and the parts of it that are made here.

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/capacity.md");

/// Compares the parts between their marks in the page, or writes them when asked to.
pub(crate) fn compare(parts: &[(&str, String)]) {
    let there = std::fs::read_to_string(PAGE).unwrap();
    let made = parts
        .iter()
        .fold(there.clone(), |page, part| replaced(&page, part));
    if std::env::var_os("HOOKWELL_BLESS").is_some() {
        std::fs::write(PAGE, &made).unwrap();
    } else {
        assert!(
            there == made,
            "docs/capacity.md is stale: HOOKWELL_BLESS=1 cargo test -p hookwell --test capacity"
        );
    }
}

fn replaced(page: &str, (name, part): &(&str, String)) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let (before, rest) = page.split_once(&begin).expect(name);
    let (_, after) = rest.split_once(&end).expect(name);
    format!("{before}{begin}{part}{end}{after}")
}

/// A row of a table.
pub(crate) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A whole number with commas.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of messages, by the thousand or the million where it is large.
pub(crate) fn messages(number: f64) -> String {
    if number >= 999_500.0 {
        format!("{} M", count_of(number / 1e6))
    } else if number >= 10_000.0 {
        format!("{} k", count(number / 1e3))
    } else {
        count(number)
    }
}

fn count_of(number: f64) -> String {
    if number < 100.0 {
        format!("{number:.1}")
    } else {
        count(number)
    }
}

/// A time of minutes, hours or days.
pub(crate) fn time(seconds: f64) -> String {
    let minutes = seconds / 60.0;
    if minutes < 90.0 {
        format!("{minutes:.0} min")
    } else if minutes < 48.0 * 60.0 {
        format!("{:.1} h", minutes / 60.0)
    } else {
        format!("{:.1} days", minutes / 60.0 / 24.0)
    }
}

/// A short time of milliseconds or seconds.
pub(crate) fn short(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        time(seconds)
    }
}
