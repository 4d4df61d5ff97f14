//! A note about secrets that no sender has.

use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;

use super::print;
use crate::sender::{LOCAL_SECRETS, Secrets};

/// The secret of a source in place of which this machine makes one up, because it is not set here.
pub(super) fn made_up<'s>(source: &'s Source, secrets: &Secrets) -> Option<&'s SecretRef> {
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
