import type { Draft } from './draft.ts';
import { RANKS } from './words.ts';

/** Who people are and how they became members: users, profiles, applications, approvals. */

const DECIDED = ['approved', 'rejected'];

export function user(draft: Draft): object {
  const { dice, index } = draft;
  const accepted = draft.maybe(0.9, () => draft.createdAt);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    email: draft.person(index).email,
    password_hash: `$2b$12$${draft.hex(53)}`,
    role: dice.pick(['public', 'member', 'member', 'member', 'instructor', 'board_member', 'admin']),
    is_active: dice.chance(0.95),
    is_verified: dice.chance(0.9),
    last_login: draft.maybe(0.8, () => draft.later()),
    profile_id: draft.idOf('profiles', index),
    reapplication_count: dice.chance(0.05) ? 1 : 0,
    terms_accepted_at: accepted,
    terms_version: accepted && '1.2',
    privacy_accepted_at: accepted,
    privacy_version: accepted && '1.0',
    ...(dice.chance(0.7) && { stripe_customer_id: `cus_${draft.hex(14)}` }),
  };
}

export function profile(draft: Draft): object {
  const { dice, index } = draft;
  const { first, last, phone, place } = draft.person(index);
  const disciplines = draft.disciplines();
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    user_id: draft.idOf('users', index),
    first_name: first,
    last_name: last,
    display_name: `${first} ${last}`,
    bio: draft.prose(400, 1600),
    avatar_url: draft.maybe(0.6, () => `https://media.example.org/avatars/${draft.id}.jpg`),
    phone: draft.maybe(0.7, () => phone),
    website: draft.maybe(0.3, () => `https://${draft.hex(6)}.example.org/`),
    city: place.city,
    state: place.state,
    country: place.country,
    disciplines,
    ranks: Object.fromEntries(disciplines.map((discipline) => [discipline, dice.pick(RANKS)])),
    certifications: dice.chance(0.3) ? [draft.title()] : [],
    is_public: dice.chance(0.8),
    show_email: dice.chance(0.3),
    event_notifications: true,
    social_links: dice.chance(0.4) ? { instagram: `@${draft.hex(8)}` } : {},
    member_since: draft.maybe(0.9, () => draft.createdAt),
  };
}

export function application(draft: Draft): object {
  const { dice, index } = draft;
  const { first, last, phone, email, place } = draft.person(index);
  const statuses = ['draft', 'submitted', 'under_review', 'approved', 'approved', 'rejected'];
  const status = dice.pick(statuses);
  const decided = DECIDED.includes(status);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    user_id: draft.idOf('users', index),
    status,
    first_name: first,
    last_name: last,
    email,
    phone: draft.maybe(0.8, () => phone),
    date_of_birth: draft.maybe(
      0.9,
      () => `19${50 + dice.below(50)}-0${1 + dice.below(9)}-1${dice.below(10)}T00:00:00`,
    ),
    address_line1: `${1 + dice.below(200)} ${draft.title()}`,
    address_line2: draft.maybe(0.2, () => `№ ${dice.below(40)}`),
    city: place.city,
    state: place.state,
    zip_code: place.zip,
    country: place.country,
    disciplines: draft.disciplines(),
    experience_years: draft.maybe(0.9, () => dice.below(40)),
    current_rank: draft.maybe(0.8, () => dice.pick(RANKS)),
    motivation: draft.prose(600, 1900),
    goals: draft.prose(300, 1900),
    reviewed_by: decided ? draft.reference('users') : null,
    reviewed_at: decided ? draft.later() : null,
    review_notes: decided ? draft.prose(50, 300) : null,
    rejection_reason: status === 'rejected' ? draft.prose(50, 200) : null,
    appeal_submitted: status === 'rejected' && dice.chance(0.2),
    board_votes: draft.references('approvals', 2),
    approver_ids: decided ? draft.references('users', 2) : [],
    rejector_ids: status === 'rejected' ? [draft.reference('users')] : [],
    approval_count: status === 'approved' ? 2 : 0,
    required_approvals: 2,
  };
}

export function approval(draft: Draft): object {
  const { dice } = draft;
  const status = dice.pick(['pending', 'approved', 'approved', 'rejected']);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    application_id: draft.reference('applications'),
    approver_id: draft.reference('users'),
    status,
    action: status === 'rejected' ? 'reject' : 'approve',
    notes: draft.maybe(0.7, () => draft.prose(60, 900)),
    approved_at: status === 'approved' ? draft.later() : null,
    rejected_at: status === 'rejected' ? draft.later() : null,
    invalidated_at: null,
    conditions: dice.chance(0.1) ? [draft.title(), draft.title()] : [],
    priority: dice.below(3),
    sequence: 1 + dice.below(2),
  };
}
