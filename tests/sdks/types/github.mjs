// Payloads that GitHub publishes, and what is right for each: a rule of its own, written from the payloads and GitHub's page, not
// from the preset.
import { text } from './installed.mjs';

export const sdk = '@octokit/webhooks-examples';

// What an event is about: [document type, its state, its id]; the latter two are functions of the body.
const named = (type, member, id = 'id') => [type, (b) => b[member], (b) => b[member]?.[id]];
const pair = (type, state, first, second) => [type, state, (b) => `${first(b)}.${second(b)}`];
const same = (...types) => Object.fromEntries(types.map((type) => [type, named(type, type)]));
const repository = (b) => b.repository.id;
const about = {
  ...same('pull_request', 'discussion', 'label', 'milestone', 'release', 'repository', 'check_run', 'check_suite', 'workflow_run',
    'workflow_job', 'deployment', 'deployment_status', 'package', 'project', 'project_card', 'project_column', 'projects_v2_item',
    'installation', 'team'),
  issues: named('issues', 'issue'),
  issue_comment: named('issue_comment', 'comment'),
  commit_comment: named('commit_comment', 'comment'),
  discussion_comment: named('discussion_comment', 'comment'),
  pull_request_review: named('pull_request_review', 'review'),
  pull_request_review_comment: named('pull_request_review_comment', 'comment'),
  pull_request_review_thread: ['pull_request_review_thread', () => undefined, (b) => b.thread.node_id], // resolved or not is not in it
  public: named('repository', 'repository'),
  fork: named('fork', 'forkee'),
  status: ['status', (b) => b, (b) => b.id],
  page_build: ['page_build', (b) => b.build, (b) => b.id],
  deploy_key: named('deploy_key', 'key'),
  branch_protection_rule: named('branch_protection_rule', 'rule'),
  code_scanning_alert: pair('code_scanning_alert', (b) => b.alert, repository, (b) => b.alert.number),
  dependabot_alert: pair('dependabot_alert', (b) => b.alert, repository, (b) => b.alert.number),
  repository_vulnerability_alert: named('repository_vulnerability_alert', 'alert'),
  security_advisory: named('security_advisory', 'security_advisory', 'ghsa_id'),
  installation_repositories: named('installation', 'installation'),
  team_add: named('team', 'team'),
  member: pair('member', (b) => b.member, repository, (b) => b.member.id),
  membership: pair('membership', (b) => b.member, (b) => b.team.id, (b) => b.member.id),
  org_block: pair('org_block', (b) => b.blocked_user, (b) => b.organization.id, (b) => b.blocked_user.id),
  star: pair('star', (b) => b, repository, (b) => b.sender.id),
  merge_group: pair('merge_group', (b) => b.merge_group, repository, (b) => b.merge_group.head_sha),
  marketplace_purchase: ['marketplace_purchase', (b) => b.marketplace_purchase, (b) => b.marketplace_purchase.account.id],
  sponsorship: named('sponsorship', 'sponsorship', 'node_id'),
};
// One event of three kinds.
const organization = (b) => {
  if (b.invitation) return named('organization_invitation', 'invitation');
  if (b.membership) return pair('organization_membership', (x) => x.membership, (x) => x.organization.id, (x) => x.membership.user.id);
  return named('organization', 'organization');
};

// What happened, where it is more than a change. `-`: no action in the body.
const created = new Set(`
  issues.opened pull_request.opened issue_comment.created commit_comment.created discussion.created discussion_comment.created
  pull_request_review.submitted pull_request_review_comment.created label.created milestone.created release.created repository.created
  fork.- check_run.created check_suite.requested workflow_run.requested workflow_job.queued deployment.created deployment_status.created
  status.- page_build.- deploy_key.created branch_protection_rule.created code_scanning_alert.created dependabot_alert.created
  repository_vulnerability_alert.create security_advisory.published package.published project.created project_card.created
  project_column.created projects_v2_item.created installation.created team.created member.added membership.added org_block.blocked
  star.created merge_group.checks_requested marketplace_purchase.purchased sponsorship.created organization.member_added
  organization.member_invited`.trim().split(/\s+/));
const deleted = new Set(`
  issues.deleted issues.transferred issue_comment.deleted discussion.deleted discussion.transferred discussion_comment.deleted
  pull_request_review_comment.deleted label.deleted milestone.deleted release.deleted repository.deleted deploy_key.deleted
  branch_protection_rule.deleted project.deleted project_card.deleted project_column.deleted projects_v2_item.deleted
  installation.deleted team.deleted member.removed membership.removed org_block.unblocked star.deleted merge_group.destroyed
  marketplace_purchase.cancelled sponsorship.cancelled organization.member_removed organization.deleted`.trim().split(/\s+/));
// The object is as it will be.
const announced = new Set(['sponsorship.pending_tier_change', 'sponsorship.pending_cancellation',
  'marketplace_purchase.pending_change', 'marketplace_purchase.pending_change_cancelled']);

// Operation, document's type, `state`, `thin` or `-`, and the document's id. Other events are push, ping, create, gollum and the like.
const expected = (event, body) => {
  const row = event === 'organization' ? organization(body) : about[event];
  const what = `${event}.${body.action ?? '-'}`;
  if (!row || announced.has(what)) return ['other', '-', '-', '-'];
  const [type, state, id] = row;
  if (deleted.has(what)) return ['delete', type, '-', String(id(body))];
  return [created.has(what) ? 'create' : 'update', type, state(body) ? 'state' : 'thin', String(id(body))];
};

export const payloads = () =>
  JSON.parse(text(sdk, 'api.github.com/index.json')).flatMap(({ name, examples }) =>
    examples.map((body, index) => ({
      name: `${name}.${body.action ?? '-'} ${index}`, body,
      headers: { 'X-GitHub-Event': name, 'X-GitHub-Delivery': `${name}-${index}` }, expected: expected(name, body),
    })));
