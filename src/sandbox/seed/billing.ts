import { type Draft, pythonFloat } from './draft.ts';

/** What members pay: subscriptions and payments. */

export function subscription(draft: Draft): object {
  const { dice } = draft;
  const status = dice.pick(['active', 'active', 'active', 'past_due', 'canceled', 'trialing']);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    user_id: draft.idOf('users', draft.index),
    tier: dice.pick(['free', 'basic', 'basic', 'premium', 'lifetime']),
    status,
    stripe_subscription_id: draft.maybe(0.8, () => `sub_${draft.hex(24)}`),
    stripe_customer_id: draft.maybe(0.8, () => `cus_${draft.hex(14)}`),
    start_date: draft.createdAt,
    end_date: draft.maybe(0.3, () => draft.day(0, 365)),
    trial_end_date: status === 'trialing' ? draft.day(0, 14) : null,
    canceled_at: status === 'canceled' ? draft.later() : null,
    amount: draft.amount(200),
    currency: dice.pick(['USD', 'USD', 'EUR', 'JPY']),
    interval: dice.pick(['month', 'year']),
    features: { events: true, vod_access: dice.chance(0.5), discount: draft.amount(20) },
    metadata: dice.chance(0.2) ? { campaign: draft.title(), größe: dice.below(9) } : {},
  };
}

export function payment(draft: Draft): object {
  const { dice } = draft;
  const status = dice.pick(['succeeded', 'succeeded', 'succeeded', 'pending', 'failed', 'refunded']);
  const refunded = status === 'refunded';
  const amount = draft.amount(300);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    user_id: draft.reference('users'),
    subscription_id: draft.maybe(0.7, () => draft.reference('subscriptions')),
    amount,
    currency: dice.pick(['USD', 'USD', 'EUR', 'JPY']),
    status,
    stripe_payment_intent_id: draft.maybe(0.9, () => `pi_${draft.hex(24)}`),
    stripe_charge_id: draft.maybe(0.8, () => `ch_${draft.hex(24)}`),
    payment_method: draft.maybe(0.9, () => dice.pick(['card', 'sepa_debit', 'cash'])),
    description: draft.maybe(0.8, () => `${draft.title()} – ${draft.createdAt.slice(0, 10)}`),
    receipt_url: draft.maybe(0.8, () => `https://pay.example.org/receipts/${draft.hex(40)}`),
    refunded_amount: refunded ? amount : pythonFloat(0),
    refunded_at: refunded ? draft.later() : null,
    refund_reason: refunded ? draft.prose(30, 90) : null,
    processed_at: status === 'pending' ? null : draft.later(),
  };
}
