//! The dead letters: why each could not be applied, and the way back into the queue.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hookwell_aws::tools::dead_letters::DeadLetter;
use hookwell_aws::tools::failure::AdminError;
use hookwell_lambda::now::now;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::event;
use super::layout::{LETTERS, count, frame, sentence, time};
use super::shared::Page;
use crate::news::Seen;
use crate::user::user;

/// Number of letters that are looked at for the list.
const SHOWN: usize = 1_000;

/// Query of the list of dead letters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct How {
    /// Asks for confirmation before all letters go back.
    all: bool,
    /// Number of letters that just went back.
    done: Option<usize>,
}

pub(super) async fn list(State(page): State<Arc<Page>>, Query(how): Query<How>) -> Response {
    let letters = match page.look().await {
        Ok(letters) => letters,
        Err(why) => return away(&page, &why),
    };
    let content = html! {
        h1.unseen { "Dead letters" }
        @if let Some(done) = how.done {
            p.done role="status" { (count(done)) " put back into the queue." }
        }
        @if how.all && !letters.is_empty() {
            (question(&page, &letters))
        } @else {
            p.found {
                @if letters.len() >= SHOWN { "Some " }
                (count(letters.len())) @if letters.len() == 1 { " dead letter" } @else { " dead letters" }
                @if letters.len() > 1 { " · " a href="/dead-letters?all=true" { "put all back" } }
                " · " a href="/dead-letters" { "look again" }
            }
            @if letters.is_empty() {
                p.empty { "Nothing failed. What your handler rejects, or what fails too often, waits here." }
            } @else {
                (table(&page, &letters))
            }
        }
    };
    page.html(
        StatusCode::OK,
        frame(&page, "Dead letters", LETTERS, &content),
    )
}

fn question(page: &Page, letters: &[DeadLetter]) -> Markup {
    html! {
        form.ask method="post" action="/dead-letters/redrive" {
            (page.token.field())
            p { "Put " b { (count(letters.len())) } " events back into the queue, to be applied again? An event that is older than its document changes nothing." }
            input type="hidden" name="confirmed" value="true";
            @for letter in letters { input type="hidden" name="id" value=(letter.message_id); }
            button { "Put " (count(letters.len())) " back" }
            " " a.button href="/dead-letters" { "Leave them" }
        }
    }
}

fn table(page: &Page, letters: &[DeadLetter]) -> Markup {
    html! {
        table.list.letters {
            thead { tr { th { "Time, UTC" } th { "Source" } th { "Type" } th { "Event" } th { "Reason" } th { span.unseen { "Put back" } } } }
            tbody {
                @for letter in letters {
                    tr {
                        td.time { @if let Some(at) = letter.sent_at { (time(at)) } }
                        @if let Ok(one) = &letter.event {
                            td.source { (one.source) }
                            td.type {
                                (one.kind)
                                @if let Some(destination) = &one.destination { " to " (destination) }
                            }
                            td.id { a href=(event::address(one.key.as_str())) { (one.id) } }
                        } @else {
                            td.source {} td.type {} td.id { (letter.message_id) }
                        }
                        td.reason { (letter.why()) }
                        td.do {
                            form method="post" action="/dead-letters/redrive" {
                                (page.token.field())
                                input type="hidden" name="id" value=(letter.message_id);
                                button { "Put back" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Puts the letters that the form names back into the queue.
pub(super) async fn redrive(State(page): State<Arc<Page>>, form: String) -> Response {
    let mut ids = Vec::new();
    let mut confirmed = false;
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        match &*name {
            "id" => ids.push(value.into_owned()),
            "confirmed" => confirmed = value == "true",
            _ => {}
        }
    }
    if ids.len() > 1 && !confirmed {
        return Redirect::to("/dead-letters?all=true").into_response();
    }
    match page.put_back(&ids).await {
        Ok(done) => {
            page.recorder.caught_up().await;
            Redirect::to(&format!("/dead-letters?done={done}")).into_response()
        }
        Err(why) => away(&page, &why),
    }
}

impl Page {
    /// The letters there now, at most [`SHOWN`] with a few more, free for others to see again.
    async fn look(&self) -> Result<Vec<DeadLetter>, AdminError> {
        let _alone = self.looking.lock().await;
        let queue = self.dead_letters();
        let mut look = queue.look();
        let (mut letters, mut is_over) = (Vec::new(), false);
        while letters.len() < SHOWN && !is_over {
            let some = look.next().await?;
            is_over = some.is_empty();
            letters.extend(some);
        }
        look.release().await;
        letters.sort_by_key(|letter| letter.sent_at);
        if is_over {
            self.letters.set(letters.len());
        }
        Ok(letters)
    }

    /// Puts the letters with these ids back, and counts them.
    async fn put_back(&self, ids: &[String]) -> Result<usize, AdminError> {
        let _alone = self.looking.lock().await;
        let queue = self.dead_letters();
        let (by, table) = (user(), &self.stack.events_table);
        let mut done = 0;
        let mut look = queue.look();
        loop {
            let some = look.next().await?;
            if some.is_empty() {
                break;
            }
            for letter in &some {
                if !ids.contains(&letter.message_id) {
                    continue;
                }
                let at = now();
                let reopened = queue.reopen(&self.admin, table, letter, &by, at).await;
                if let Err(why) = reopened {
                    look.release().await;
                    return Err(why);
                }
                look.forget(letter);
                if let Ok(event) = &letter.event
                    && event.destination.is_none()
                {
                    let key = event.key.as_str().to_owned();
                    self.recorder.tell(Seen::PutBack { key, at });
                }
                done += 1;
            }
            if done == ids.len() {
                break;
            }
        }
        look.release().await;
        self.letters.take_off(u64::try_from(done).unwrap_or(0));
        Ok(done)
    }
}

fn away(page: &Page, why: &AdminError) -> Response {
    page.html(
        StatusCode::BAD_GATEWAY,
        sentence(
            page,
            "The dead-letter queue does not answer",
            &why.to_string(),
        ),
    )
}
