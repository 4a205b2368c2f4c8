CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    grams INTEGER NOT NULL CHECK (grams > 0),
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0)
);

CREATE TABLE stock (
    product_id INTEGER PRIMARY KEY REFERENCES products (id),
    quantity INTEGER NOT NULL CHECK (quantity >= 0)
);

WITH teas (position, name, cents_per_100g) AS (
    VALUES
        (0, 'Assam Mangalam', 890), (1, 'Bancha', 620), (2, 'Ceylon Pekoe', 740), (3, 'Chai Masala', 690),
        (4, 'Darjeeling First Flush', 1490), (5, 'Dragon Well', 1690), (6, 'Earl Grey', 720), (7, 'East Frisian', 680),
        (8, 'Genmaicha', 790), (9, 'Gunpowder', 560), (10, 'Gyokuro', 3900), (11, 'Hojicha', 840),
        (12, 'Iron Goddess', 1890), (13, 'Jasmine Pearls', 2190), (14, 'Keemun', 980), (15, 'Lapsang Souchong', 860),
        (16, 'Milk Oolong', 1590), (17, 'Moroccan Mint', 520), (18, 'Nilgiri', 660), (19, 'Pai Mu Tan', 1390),
        (20, 'Phoenix Oolong', 2490), (21, 'Pu-erh 2012', 1790), (22, 'Rooibos', 480), (23, 'Rooibos Vanilla', 540),
        (24, 'Sencha', 890), (25, 'Silver Needle', 4200), (26, 'Tamaryokucha', 1290), (27, 'Verbena', 780),
        (28, 'White Peony', 1340), (29, 'Yunnan Gold', 1690)
),
sizes (position, grams) AS (
    VALUES (1, 50), (2, 100), (3, 250), (4, 1000)
)
INSERT INTO products (id, name, grams, price_cents)
SELECT teas.position * 4 + sizes.position, teas.name, sizes.grams, teas.cents_per_100g * sizes.grams / 100
FROM teas CROSS JOIN sizes;

INSERT INTO products (id, name, grams, price_cents) VALUES (121, 'Sample of the month', 10, 0);

INSERT INTO stock (product_id, quantity) SELECT id, 40 + id * 7 % 60 FROM products;
