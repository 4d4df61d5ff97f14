// Types: enum SubscriptionResponseEventTypeEnum.
import { found, text } from './installed.mjs';

export const sdk = '@hubspot/api-client';
export const list = () => {
  const [words] = found(/enum SubscriptionResponseEventTypeEnum \{([^}]+)\}/g, text(sdk, 'lib/codegen/webhooks/models/SubscriptionResponse.d.ts'));
  return found(/= "([^"]+)"/g, words);
};

const about = {
  merge: { primaryObjectId: 2, mergedObjectIds: [3], newObjectId: 1 },
  associationChange: { fromObjectId: 1, toObjectId: 2, associationRemoved: false },
};
export const request = (subscriptionType) => {
  const [kind, word] = subscriptionType.split('.');
  const sort = kind === 'object' && { [word === 'associationChange' ? 'fromObjectTypeId' : 'objectTypeId']: '0-1' };
  const event = { eventId: 1, portalId: 7, occurredAt: 1767322800000, subscriptionType, ...sort, ...(about[word] ?? { objectId: 1 }) };
  return { body: [event], id: '7.1' };
};
