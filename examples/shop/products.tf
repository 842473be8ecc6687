# What the shop begins with. The stock is the shop's own from then on: Terraform makes these items and never changes them.

locals {
  products = {
    black-undead-water-bottle = {
      name        = "Black Undead Water Bottle"
      description = "Holds a litre, and holds up when dropped while running."
      price_cents = 1995
    }
    camo-tactical-vest = {
      name        = "Camo Tactical Vest"
      description = "Eleven pockets, one thick collar, machine washable. You will want that."
      price_cents = 8999
    }
    slayer-double-headed-axe = {
      name        = "Slayer Double Headed Axe"
      description = "Two heads, so that you keep yours."
      price_cents = 12450
    }
    super-quiet-pistol-crossbow = {
      name        = "Super Quiet Pistol Crossbow"
      description = "Noise draws company. This one makes none."
      price_cents = 18900
    }
    throwflame-flamethrower = {
      name        = "ThrowFlame Flamethrower"
      description = "Clears a hallway in seconds. Not for use indoors, whatever is in there."
      price_cents = 54900
    }
    zombie-juicery-energy-drink = {
      name        = "Zombie Juicery Energy Drink"
      description = "Keeps you awake for the night shift. For all of them, in fact."
      price_cents = 399
    }
  }
}

resource "aws_dynamodb_table_item" "product" {
  for_each = local.products

  table_name = module.shop.table.name
  hash_key   = "pk"
  range_key  = "sk"

  item = jsonencode({
    pk           = { S = each.key }
    sk           = { S = each.key }
    itemType     = { S = "part" }
    inventoryKey = { S = "part" }
    name         = { S = each.value.name }
    description  = { S = each.value.description }
    priceCents   = { N = tostring(each.value.price_cents) }
    qty          = { N = "200" }
    reorderBelow = { N = "50" }
    reorderQty   = { N = "200" }
    restocks     = { N = "0" }
  })

  lifecycle {
    ignore_changes = [item]
  }
}
