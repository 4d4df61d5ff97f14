// Types: enum NotificationRequestItem.EventCodeEnum.
import { found, text } from './installed.mjs';
import { HEX, hmac } from './signing.mjs';

export const sdk = '@adyen/api-library';
export const list = () => {
  const [codes] = found(/enum EventCodeEnum \{([^}]+)\}/g, text(sdk, 'lib/src/typings/notification/notificationRequestItem.d.ts'));
  return found(/= "([^"]+)"/g, codes);
};

// An order has no payment before it. An authorisation's originalReference is empty.
export const request = (eventCode) => {
  const isFirst = ['AUTHORISATION', 'ORDER_OPENED', 'ORDER_CLOSED'].includes(eventCode);
  const item = {
    pspReference: 'psp', originalReference: isFirst ? '' : 'original', merchantAccountCode: 'account', merchantReference: 'reference',
    amount: { value: 1000, currency: 'EUR' }, eventCode, success: 'true', eventDate: '2026-01-02T03:04:05+01:00',
  };
  const signed = [item.pspReference, item.originalReference, item.merchantAccountCode, item.merchantReference,
    item.amount.value, item.amount.currency, eventCode, item.success].join(':');
  item.additionalData = { hmacSignature: hmac(Buffer.from(HEX, 'hex'), signed, 'base64') };
  return { body: { live: 'false', notificationItems: [{ NotificationRequestItem: item }] }, id: isFirst ? 'psp' : 'original' };
};
