// Types: enum TypeEnum of every class …Request in typings/…Webhooks.
import { files, found, text } from './installed.mjs';

export const sdk = '@adyen/api-library';
export const list = () =>
  files(sdk, 'lib/src/typings', '.d.ts')
    .filter((file) => /Webhooks.*Request(V\d+)?\.d\.ts$/.test(file))
    .flatMap((file) => found(/enum TypeEnum \{([^}]+)\}/g, text(sdk, file)))
    .flatMap((words) => found(/= "([^"]+)"/g, words));

// The members of the classes …Data that say what an event is about; where none is here, `id`.
const inside = (name) => ({ [name]: { id: '1' } });
const shapes = {
  'balancePlatform.accountHolder': inside('accountHolder'),
  'balancePlatform.balanceAccount': inside('balanceAccount'),
  'balancePlatform.balanceAccount.balance': { balanceAccountId: '1', currency: 'EUR' },
  'balancePlatform.balanceAccount.balance.block': { ...inside('balanceAccount'), ...inside('accountHolder') },
  'balancePlatform.balanceAccountPayoutSchedule': { balanceAccountId: '2', balanceAccountPayoutScheduleId: '1' },
  'balancePlatform.balanceAccountPayoutScheduleAutoApplication': { balanceAccountId: '2', balancePlatformPayoutScheduleId: '3' },
  'balancePlatform.balanceAccountPayoutScheduleExecution': { balanceAccountId: '2', balanceAccountPayoutScheduleId: '3' },
  'balancePlatform.balanceAccountSweep': { accountId: '2', ...inside('sweep') },
  'balancePlatform.balancePlatformPayoutSchedule': { balancePlatformPayoutScheduleId: '1' },
  'balancePlatform.cardorder': { cardOrderItemId: '1' },
  'balancePlatform.mandate': inside('mandate'),
  'balancePlatform.paymentInstrument': inside('paymentInstrument'),
  merchant: { companyId: '2', merchantId: '1' },
  'recurring.token': { shopperReference: '2', storedPaymentMethodId: '1' },
  terminalBoarding: { companyId: '2', uniqueTerminalId: '1' },
  terminalSettings: { companyId: '2', terminalId: '3' },
};
export const request = (type) => {
  const kind = type.slice(0, type.lastIndexOf('.'));
  return {
    body: { type, environment: 'test', timestamp: '2026-01-02T03:04:05+01:00', data: shapes[kind] ?? { id: '1' } },
    id: kind.endsWith('.balance') ? '1.EUR' : '1',
  };
};
