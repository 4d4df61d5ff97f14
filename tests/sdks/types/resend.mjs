// Types: type WebhookEvent = '…' | '…'.
import { found, text } from './installed.mjs';

export const sdk = 'resend';
export const list = () => {
  const [union] = found(/^type WebhookEvent = ([^;]+);/gm, text(sdk, 'dist/index.d.cts'));
  return found(/'([^']+)'/g, union);
};

// The members of …EventData that name something; a deleted inbox and its threads, e-mails and drafts carry a summary or less.
const data = (type) => {
  if (type.startsWith('email.')) return { email_id: '1', subject: 'Hi' };
  if (type === 'contact.topics.updated') return { email: 'a@example.com', topics: [] };
  if (type === 'inbox.deleted') return { inbox_id: '1' };
  if (type.startsWith('inbox.thread.')) return { inbox_id: '2', thread_id: '1', thread: { id: '1' } };
  if (type.startsWith('inbox.email.')) return { inbox_id: '2', thread_id: '3', email_id: '1', email: { id: '1' } };
  if (type.startsWith('inbox.draft.')) return { inbox_id: '2', thread_id: '3', draft_id: '1', draft: { id: '1' } };
  if (type.startsWith('inbox.')) return { inbox_id: '1', inbox: { id: '1' } };
  return { id: '1' };
};
export const request = (type) => ({ body: { type, created_at: '2026-01-02T03:04:05.000Z', data: data(type) }, id: '1' });
