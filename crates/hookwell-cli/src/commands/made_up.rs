//! A note about secrets that no sender has.

use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;

use super::print;
use crate::sender::{LOCAL_SECRETS, Secrets};

/// The newest secret of a source none of whose secrets is set on this machine, which then signs with one that it makes up.
pub(super) fn unset_secret<'s>(source: &'s Source, secrets: &Secrets) -> Option<&'s SecretRef> {
    let is_signed = !source.is_unsigned() && secrets.are_made_up_for(source);
    source.references().next().filter(|_| is_signed)
}

/// Says that a request is signed with a secret that no sender has, and where to put the real one.
pub(super) fn note(reference: &SecretRef) {
    print::note(&format!(
        "note: signed with a secret that `hookwell dev` makes up, not with {reference}: no command asks a store. Write \
         the real one into {LOCAL_SECRETS}, which git leaves out: \"{reference}\" = \"…\""
    ));
}
