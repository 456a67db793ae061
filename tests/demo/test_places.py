"""The table of cities, and how places scatter around them."""

from omo_core.demo.places import cities, distance_m, fraction, metros, scatter, warehouses
from omo_core.model.network import NodeKind
from omo_core.model.values import GeoPoint


def test_six_areas_of_near_cities_and_five_warehouses() -> None:
    assert len(metros()) == 6
    assert len(warehouses(NodeKind.REGIONAL_WAREHOUSE)) == 4
    assert len(warehouses(NodeKind.CENTRAL_WAREHOUSE)) == 1
    for metro in metros():
        assert len(metro.cities) >= 12
        assert all(distance_m(city.point, metro.cities[0].point) < 50_000 for city in metro.cities)
    assert len({city.title for city in cities()}) == len(cities())


def test_every_regional_warehouse_serves_an_area() -> None:
    assert {metro.warehouse for metro in metros()} == set(warehouses(NodeKind.REGIONAL_WAREHOUSE))


def test_distance_of_known_cities() -> None:
    core = {metro.name: metro.cities[0].point for metro in metros()}
    atlanta, detroit = core["Atlanta, GA"], core["Detroit, MI"]
    assert 955_000 < distance_m(atlanta, detroit) < 965_000


def test_scattered_points_fill_the_disc_and_depend_on_the_name_alone() -> None:
    centre = GeoPoint(latitude=40.0, longitude=-80.0)
    distances = [distance_m(centre, scatter(centre, 3_000, f"home/{number}")) for number in range(400)]
    assert max(distances) <= 3_002
    # Evenly over the disc: half of the area, so about half of the points, lies beyond radius / √2.
    assert 160 < sum(distance > 3_000 / 2**0.5 for distance in distances) < 240
    assert scatter(centre, 3_000, "home/1") == scatter(centre, 3_000, "home/1")
    assert scatter(centre, 3_000, "home/1") != scatter(centre, 3_000, "home/2")


def test_fractions_are_even() -> None:
    drawn = [fraction(f"basket/{number}") for number in range(2_000)]
    assert all(0 <= one < 1 for one in drawn)
    assert 740 < sum(one < 0.4 for one in drawn) < 860
