"""A tea shop: its catalogue, its prices, its orders, over HTTP."""
