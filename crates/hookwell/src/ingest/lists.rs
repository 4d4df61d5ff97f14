//! The lists of a body whose items are events.

use serde_json::value::RawValue;

use crate::format::json::{Json, MAX_ITEMS, Pointer};
use crate::ingest::invalid::Invalid;

/// A value that holds a list, and the items of the list.
pub(super) type List<'a> = (&'a RawValue, Vec<&'a RawValue>);

/// The lists that were found at a place.
#[derive(Default)]
pub(super) struct Lists<'a> {
    /// Every list there, where one is inside another.
    pub(super) found: Vec<List<'a>>,
    /// The items of outer lists that hold no inner one.
    pub(super) without: Vec<&'a RawValue>,
}

/// The lists at a place in a body; `None` when the outermost is absent. `takes_one`: an object in place of a list is a
/// list of one.
pub(super) fn lists_at<'a>(
    body: &Json<'a>,
    each: &Pointer,
    takes_one: bool,
) -> Result<Option<Lists<'a>>, Invalid> {
    let mut without = Vec::new();
    let mut lists: Vec<List<'a>> = vec![(body.root(), vec![body.root()])];
    for (depth, steps) in each.steps().split(|step| step == "*").enumerate() {
        let mut inner = Vec::new();
        let mut count = 0_usize;
        for value in lists.into_iter().flat_map(|(_, items)| items) {
            let list = Json::part(value)?.find_steps(steps)?;
            let items = list.and_then(|list| {
                let one = (takes_one && list.get().starts_with('{')).then(|| vec![list]);
                Json::items(list).or(one)
            });
            match items {
                Some(items) => {
                    count = count.saturating_add(items.len());
                    inner.push((value, items));
                }
                None if depth == 0 => return Ok(None),
                None => without.push(value),
            }
            if count > MAX_ITEMS {
                return Err(Invalid::TooMany);
            }
        }
        lists = inner;
    }
    Ok(Some(Lists {
        found: lists,
        without,
    }))
}
