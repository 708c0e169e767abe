-- Who an account is at a payment provider.

create or replace function credits.save_payment_customer(account_id text, provider text, customer_id text)
returns credits.payment_customers
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  account credits.accounts;
  saved credits.payment_customers;
begin
  perform credits_private.check_service();
  if coalesce(length(save_payment_customer.provider), 0) not between 1 and 64 then
    perform credits_private.fail_invalid('provider', 'length', 'Name the payment provider, 1 to 64 characters.');
  elsif coalesce(length(save_payment_customer.customer_id), 0) not between 1 and 255 then
    perform credits_private.fail_invalid('customer_id', 'length', 'Give the provider''s id of the customer, 1 to 255 characters.');
  end if;
  account := credits_private.lock_account(save_payment_customer.account_id);
  insert into credits.payment_customers as c (account_id, provider, customer_id, saved_at)
  values (account.account_id, save_payment_customer.provider, save_payment_customer.customer_id, credits_private.now())
  on conflict on constraint payment_customers_pkey do update
  set customer_id = excluded.customer_id, saved_at = excluded.saved_at
  where c.customer_id <> excluded.customer_id;
  select c.* into saved from credits.payment_customers c
  where c.account_id = account.account_id and c.provider = save_payment_customer.provider;
  return saved;
end
$$;
comment on function credits.save_payment_customer(text, text, text) is
  'Remembers who an account is at a payment provider, so that top-ups can be charged to the card saved there. A paid checkout does this by itself. PC404 unknown account; PC422 no provider or customer_id. Service only.';
