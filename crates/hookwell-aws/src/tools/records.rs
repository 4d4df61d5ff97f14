//! The records of the events table in the order of their reception: read by the index of times, no more than is asked for,
//! whatever the table holds.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures_util::future::try_join_all;
use hookwell::event::identity::Key;
use hookwell::format::pattern::Pattern;
use hookwell::format::time::Millis;
use serde_json::Value;

use crate::by_time::{EVENTS_INDEX, SHARD, SHARDS};
use crate::client::connection::reason;
use crate::client::item::{number, text};
use crate::tools::admin::{Admin, Item, item};
use crate::tools::failure::{AdminError, failed};

/// Records that one call reads (`BatchGetItem`).
const BATCH: usize = 100;

/// Pause before records are asked for again that the table had no capacity for.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls that read records at once.
const AT_ONCE: usize = 8;

/// Entries of one shard that the first look reads, and that later ones read at most.
const PAGES: (i32, i32) = (16, 1_024);

/// The number of the newest entries among which the names of sources are looked for.
const RECENT: usize = 256;

/// The order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The last received one first.
    NewestFirst,
    /// The first received one first.
    OldestFirst,
}

/// The records that are meant, by what the index knows of them. `None` takes all.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Of this source.
    pub source: Option<String>,
    /// With this id of their sender's.
    pub event_id: Option<String>,
    /// Of a type like this.
    pub kind: Option<Pattern>,
    /// About a document with this id.
    pub document_id: Option<String>,
    /// Received at this time or later.
    pub since: Option<Millis>,
    /// Received at this time or earlier.
    pub until: Option<Millis>,
}

impl Search {
    /// The attributes that have to be equal to a text.
    fn equal(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("source", &self.source),
            ("event_id", &self.event_id),
            ("document_id", &self.document_id),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// True for a record that is meant.
    #[must_use]
    pub fn holds(&self, item: &Item) -> bool {
        let at = received_at(item).unwrap_or(0);
        self.equal()
            .all(|(name, value)| text_of(item, name) == value)
            && self.has_kind(item)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }

    fn has_kind(&self, item: &Item) -> bool {
        let kind = text_of(item, "type");
        let mut pattern = self.kind.iter();
        pattern.all(|pattern| pattern.capture(kind).is_some())
    }
}

/// Entries of one shard of the index that were read and not given yet.
#[derive(Debug, Default)]
struct Shard {
    read: VecDeque<Item>,
    /// The place at which the next page begins.
    start: Option<HashMap<String, AttributeValue>>,
    /// True once there is no next page.
    is_over: bool,
}

/// Records in the order of their reception.
#[derive(Debug)]
pub struct Records<'a> {
    admin: &'a Admin,
    table: &'a str,
    search: Search,
    order: Order,
    shards: Vec<Shard>,
    page: i32,
    is_indexed: bool,
}

impl Admin {
    /// The records of the events table that are meant, in that order. Nothing is read yet.
    #[must_use]
    pub fn records<'a>(&'a self, table: &'a str, search: Search, order: Order) -> Records<'a> {
        // DynamoDB refuses a range that ends before it begins.
        let is_empty = search
            .since
            .zip(search.until)
            .is_some_and(|(since, until)| since > until);
        let shards = (0..SHARDS).filter(|_| !is_empty);
        let shards = shards.map(|_| Shard::default()).collect();
        Records {
            admin: self,
            table,
            search,
            order,
            shards,
            page: PAGES.0,
            is_indexed: true,
        }
    }

    /// The records with these keys that are there, in the order of the keys.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn get_all(&self, table: &str, keys: &[&str]) -> Result<Vec<Item>, AdminError> {
        let mut found = HashMap::new();
        for some in keys.chunks(BATCH * AT_ONCE) {
            let calls = some.chunks(BATCH).map(|keys| self.get_some(table, keys));
            for items in try_join_all(calls).await? {
                found.extend(
                    items
                        .into_iter()
                        .map(|it| (text_of(&it, "pk").to_owned(), it)),
                );
            }
        }
        Ok(keys.iter().filter_map(|key| found.remove(*key)).collect())
    }

    /// The records at these keys, at most [`BATCH`].
    async fn get_some(&self, table: &str, keys: &[&str]) -> Result<Vec<Item>, AdminError> {
        let what = format!("reading table {table}");
        let keys: BTreeSet<_> = keys.iter().collect();
        let key = |key: &&&str| HashMap::from([("pk".to_owned(), text(**key))]);
        let asked = KeysAndAttributes::builder().set_keys(Some(keys.iter().map(key).collect()));
        let asked = asked.build().map_err(|_| failed(&what, "no keys"))?;
        let mut open = Some(HashMap::from([(table.to_owned(), asked)]));
        let mut items = Vec::new();
        while open.is_some() {
            let request = self.dynamodb.batch_get_item();
            let answer = request.set_request_items(open.take()).send().await;
            let answer = answer.map_err(|error| failed(&what, reason(&error)))?;
            let found = answer.responses.unwrap_or_default();
            items.extend(found.into_values().flatten().map(item));
            open = answer.unprocessed_keys.filter(|open| !open.is_empty());
            if open.is_some() {
                // The table has no capacity for them just now.
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(items)
    }

    /// Every record with this key of the table or this id of its sender's, of this source where one is named. Where none
    /// is, an id is looked up in the sources that sent last, and in the whole index only when none of them has it.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn find(
        &self,
        table: &str,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<Item>, AdminError> {
        if let Some(item) = self.get(table, id).await? {
            return Ok(vec![item]);
        }
        let sources = match source {
            Some(source) => BTreeSet::from([source.to_owned()]),
            None => self.recent_sources(table).await?,
        };
        let key = |source: &String| Key::new(source, &[id.as_bytes()]);
        let keys: Vec<_> = sources.iter().map(key).collect();
        let keys: Vec<_> = keys.iter().map(Key::as_str).collect();
        let found = self.get_all(table, &keys).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        // More than the id tells such an event from others: its body, or a type that nobody signs.
        let search = Search {
            source: source.map(str::to_owned),
            event_id: Some(id.to_owned()),
            ..Search::default()
        };
        self.records(table, search, Order::NewestFirst).all().await
    }

    /// The sources of the newest records.
    async fn recent_sources(&self, table: &str) -> Result<BTreeSet<String>, AdminError> {
        let mut newest = self.records(table, Search::default(), Order::NewestFirst);
        let newest = newest.next_entries(RECENT).await?;
        Ok(newest
            .iter()
            .map(|it| text_of(it, "source").to_owned())
            .collect())
    }
}

impl Records<'_> {
    /// True unless the table was found to lack the index, so that all of it was read.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.is_indexed
    }

    /// The next records, at most so many; none at the end.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Item>, AdminError> {
        loop {
            let entries = self.next_entries(most).await?;
            if entries.is_empty() || !self.is_indexed {
                return Ok(entries);
            }
            let keys: Vec<_> = entries.iter().map(|entry| text_of(entry, "pk")).collect();
            let records = self.admin.get_all(self.table, &keys).await?;
            // A record can be deleted between the two reads; empty would say that this is the end.
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// All records that are left: for searches that find few.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn all(mut self) -> Result<Vec<Item>, AdminError> {
        let mut all = Vec::new();
        loop {
            let some = self.next(BATCH * AT_ONCE).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    /// Counts the records that are left, as far as that.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn count(&mut self, most: usize) -> Result<usize, AdminError> {
        let mut count = 0_usize;
        while count < most {
            match self.next_entries(most.saturating_sub(count)).await?.len() {
                0 => break,
                more => count = count.saturating_add(more),
            }
        }
        Ok(count)
    }

    /// The next entries of the index, at most so many: key and time of a record, and what is searched by.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn next_entries(&mut self, most: usize) -> Result<Vec<Item>, AdminError> {
        let mut entries = Vec::new();
        while entries.len() < most {
            while self
                .shards
                .iter()
                .any(|it| it.read.is_empty() && !it.is_over)
            {
                self.fill().await?;
            }
            let Some(entry) = self.take() else { break };
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Takes the first entry of all shards.
    fn take(&mut self) -> Option<Item> {
        let order = self.order;
        let place = |shard: &&mut Shard| {
            let at = shard.read.front().and_then(received_at).unwrap_or(0);
            match order {
                Order::NewestFirst => at.saturating_neg(),
                Order::OldestFirst => at,
            }
        };
        let waiting = self.shards.iter_mut().filter(|it| !it.read.is_empty());
        waiting.min_by_key(place)?.read.pop_front()
    }

    /// Reads on in the shards of which little is left.
    async fn fill(&mut self) -> Result<(), AdminError> {
        let low = usize::try_from(self.page / 2).unwrap_or(0);
        let page = self.page;
        self.page = page.saturating_mul(2).min(PAGES.1);
        let mut shards = mem::take(&mut self.shards);
        let low_ones = (0..).zip(&mut shards);
        let low_ones = low_ones.filter(|(_, it)| it.read.len() <= low && !it.is_over);
        let read = low_ones.map(|(number, shard)| self.read(number, shard, page));
        let result = try_join_all(read).await;
        self.shards = shards;
        match result {
            Ok(_) => Ok(()),
            // The only mistake that these requests can have: there is no such index, or it is not ready yet.
            Err(error) if error.why == "ValidationException" => self.read_table().await,
            Err(error) => Err(error),
        }
    }

    async fn read(&self, number: i64, shard: &mut Shard, page: i32) -> Result<(), AdminError> {
        let request = self.admin.dynamodb.query();
        let mut request = request
            .table_name(self.table)
            .index_name(EVENTS_INDEX)
            .limit(page)
            .scan_index_forward(self.order == Order::OldestFirst)
            .set_exclusive_start_key(shard.start.take())
            .key_condition_expression("#shard = :shard AND received_at BETWEEN :since AND :until")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", self::number(number))
            .expression_attribute_values(":since", self::number(self.search.since.unwrap_or(0)))
            .expression_attribute_values(
                ":until",
                self::number(self.search.until.unwrap_or(Millis::MAX)),
            );
        let mut filter = Vec::new();
        for (name, value) in self.search.equal() {
            filter.push(format!("#{name} = :{name}"));
            request = request
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), text(value));
        }
        if !filter.is_empty() {
            request = request.filter_expression(filter.join(" AND "));
        }
        let answer = request
            .send()
            .await
            .map_err(|error| failed(&format!("reading table {}", self.table), reason(&error)))?;
        shard.start = answer.last_evaluated_key.filter(|key| !key.is_empty());
        shard.is_over = shard.start.is_none();
        let items = answer.items.unwrap_or_default().into_iter().map(item);
        shard
            .read
            .extend(items.filter(|it| self.search.has_kind(it)));
        Ok(())
    }

    /// Reads the whole table in place of the index that it lacks.
    async fn read_table(&mut self) -> Result<(), AdminError> {
        self.is_indexed = false;
        let mut found = Vec::new();
        let mut pages = self.admin.pages(self.table, None);
        while let Some(page) = pages.next().await? {
            found.extend(page.into_iter().filter(|it| self.search.holds(it)));
        }
        found.sort_by_key(received_at);
        if self.order == Order::NewestFirst {
            found.reverse();
        }
        self.shards = vec![Shard {
            read: found.into(),
            start: None,
            is_over: true,
        }];
        Ok(())
    }
}

/// Time at which the event of a record was first received.
#[must_use]
pub fn received_at(item: &Item) -> Option<Millis> {
    item.get("received_at").and_then(Value::as_i64)
}

fn text_of<'i>(item: &'i Item, name: &str) -> &'i str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}
