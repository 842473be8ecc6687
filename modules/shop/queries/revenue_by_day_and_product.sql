WITH ordered AS (
  SELECT DISTINCT sequence_number,
    product_id,
    qty * (CASE WHEN status = 'Expired' THEN -1 ELSE 1 END) AS quantity,
    price_cents,
    CAST(CAST(created_at AS timestamp) AS date) AS ordered_on
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '90' DAY AS date) AS varchar)
    AND item_type = 'orderLine'
    AND (event = 'create' OR (status = 'Expired' AND old_status = 'Created'))
)
SELECT ordered_on, product_id, sum(quantity) AS units, sum(quantity * price_cents) AS revenue_cents
FROM ordered
GROUP BY ordered_on, product_id
HAVING sum(quantity) > 0
ORDER BY ordered_on, product_id
