"""The projects whose merged changes `bench/testgen.py` measures, and what their suites need."""

from __future__ import annotations

import msgspec

from greenlane.domain.service_settings import Commands, Service


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """`made` are files that the project's own build step would write; `given` is what its suite is started with."""

    repository: str
    package: str
    tests: str = "tests"
    given: str = ""
    made: tuple[tuple[str, str], ...] = ()

    def ships(self, path: str) -> bool:
        """Whether a path is of the package, or the module of a project that is a single file."""
        return path == self.package or path.startswith(f"{self.package}/")

    @property
    def service(self) -> Service:
        root = self.package.rpartition("/")[0] or "."
        commands = Commands(test=f"{Commands().test} {self.given}") if self.given else Commands()
        return Service(name="project", source_roots=(root,), tests_dir=self.tests, commands=commands)


_VERSION = '__version__ = version = "99.0.0"\n__version_tuple__ = version_tuple = (99, 0, 0)\n'
PROJECTS = (
    Project(
        repository="python-humanize/humanize",
        package="src/humanize",
        made=(("src/humanize/_version.py", _VERSION),),
    ),
    Project(repository="mahmoud/boltons", package="boltons"),
    Project(repository="msiemens/tinydb", package="tinydb"),
    Project(repository="pallets/itsdangerous", package="src/itsdangerous"),
    Project(repository="marshmallow-code/marshmallow", package="src/marshmallow"),
    Project(repository="andialbrecht/sqlparse", package="sqlparse"),
    Project(repository="pallets/click", package="src/click"),
    Project(repository="tkem/cachetools", package="src/cachetools"),
    Project(repository="jpadilla/pyjwt", package="jwt"),
    Project(repository="lepture/mistune", package="src/mistune"),
    Project(
        repository="prettytable/prettytable",
        package="src/prettytable",
        made=(("src/prettytable/_version.py", _VERSION),),
    ),
    Project(repository="astanin/python-tabulate", package="tabulate", tests="test"),
    Project(repository="jd/tenacity", package="tenacity"),
    Project(repository="hukkin/tomli", package="src/tomli"),
    Project(repository="alecthomas/voluptuous", package="voluptuous", tests="voluptuous/tests"),
    Project(repository="AlexandreDecan/portion", package="portion"),
    Project(repository="bottlepy/bottle", package="bottle.py", tests="test"),
    Project(repository="cpburnz/python-pathspec", package="pathspec"),
    Project(repository="dgilland/pydash", package="src/pydash", given="src tests --ignore tests/pytest_mypy_testing"),
    Project(repository="executablebooks/markdown-it-py", package="markdown_it"),
    Project(repository="jazzband/tablib", package="src/tablib"),
    Project(repository="lincolnloop/python-qrcode", package="qrcode", tests="qrcode/tests"),
    Project(repository="martinblech/xmltodict", package="xmltodict.py"),
    Project(repository="matthewwithanm/python-markdownify", package="markdownify"),
    Project(repository="PyCQA/pyflakes", package="pyflakes", tests="pyflakes/test"),
    Project(repository="python-hyper/h11", package="h11", tests="h11/tests"),
    Project(repository="python-hyper/hyperlink", package="src/hyperlink", tests="src/hyperlink/test"),
    Project(repository="python-validators/validators", package="src/validators"),
    Project(repository="r1chardj0n3s/parse", package="parse.py"),
    Project(repository="scrapy/cssselect", package="cssselect"),
    Project(repository="scrapy/itemloaders", package="itemloaders"),
    Project(repository="scrapy/w3lib", package="w3lib"),
    Project(repository="sdispater/tomlkit", package="tomlkit"),
    Project(repository="Suor/funcy", package="funcy"),
    Project(repository="asottile/add-trailing-comma", package="add_trailing_comma"),
    Project(repository="asottile/tokenize-rt", package="tokenize_rt.py"),
    Project(repository="executablebooks/mdit-py-plugins", package="mdit_py_plugins"),
    Project(repository="facelessuser/bracex", package="bracex"),
    Project(repository="jazzband/geojson", package="geojson"),
    Project(repository="Knio/dominate", package="dominate"),
    Project(repository="mahmoud/face", package="face", tests="face/test"),
    Project(repository="miyuchina/mistletoe", package="mistletoe", tests="test"),
    Project(repository="Pylons/colander", package="src/colander"),
    Project(repository="Pylons/webtest", package="webtest"),
    Project(repository="pypa/installer", package="src/installer"),
    Project(repository="pypa/pyproject-metadata", package="pyproject_metadata"),
    Project(repository="python-semver/python-semver", package="src/semver"),
    Project(repository="rbarrois/python-semanticversion", package="semantic_version"),
    Project(repository="rr-/docstring_parser", package="docstring_parser", tests="docstring_parser/tests"),
    Project(repository="zopefoundation/RestrictedPython", package="src/RestrictedPython"),
    Project(repository="aboutcode-org/license-expression", package="src/license_expression"),
    Project(repository="asottile/setup-cfg-fmt", package="setup_cfg_fmt.py"),
    Project(repository="beetbox/confuse", package="confuse", tests="test"),
    Project(repository="caesar0301/treelib", package="treelib"),
    Project(repository="defnull/multipart", package="multipart.py", tests="test"),
    Project(repository="earwig/mwparserfromhell", package="src/mwparserfromhell"),
    Project(repository="eerimoq/bincopy", package="bincopy.py"),
    Project(repository="eliben/pycparser", package="pycparser"),
    Project(repository="flyingcircusio/pycountry", package="src/pycountry", tests="src/pycountry/tests"),
    Project(repository="inveniosoftware/dictdiffer", package="dictdiffer"),
    Project(repository="ionelmc/python-tblib", package="src/tblib"),
    Project(repository="jazzband/jsonmodels", package="jsonmodels"),
    Project(repository="joke2k/django-environ", package="environ"),
    Project(repository="kayak/pypika", package="pypika", tests="pypika/tests"),
    Project(repository="kjd/idna", package="idna"),
    Project(repository="ltworf/typedload", package="typedload"),
    Project(repository="mido/mido", package="mido"),
    Project(repository="nickstenning/honcho", package="honcho"),
    Project(repository="pallets-eco/croniter", package="src/croniter", tests="src/croniter/tests"),
    Project(repository="pallets-eco/flask-wtf", package="src/flask_wtf"),
    Project(repository="python-metar/python-metar", package="metar", tests="test"),
    Project(repository="python-parsy/parsy", package="src/parsy"),
    Project(repository="regebro/svg.path", package="src/svg"),
    Project(repository="regebro/tzlocal", package="tzlocal"),
    Project(repository="assertpy/assertpy", package="assertpy"),
    Project(repository="avian2/unidecode", package="unidecode"),
    Project(repository="borntyping/python-colorlog", package="colorlog", tests="colorlog/tests"),
    Project(repository="casbin/pycasbin", package="casbin"),
    Project(repository="cloudtools/troposphere", package="troposphere"),
    Project(repository="coady/multimethod", package="multimethod"),
    Project(repository="devsnd/tinytag", package="tinytag", tests="tinytag/tests"),
    Project(repository="HBNetwork/python-decouple", package="decouple.py"),
    Project(repository="iterative/shtab", package="shtab", made=(("shtab/_dist_ver.py", _VERSION),)),
    Project(repository="jawah/charset_normalizer", package="src/charset_normalizer"),
    Project(
        repository="jorisroovers/gitlint",
        package="gitlint-core/gitlint",
        tests="gitlint-core/gitlint/tests",
        given="gitlint-core",
    ),
    Project(repository="Kozea/cssselect2", package="cssselect2"),
    Project(repository="kvesteri/intervals", package="intervals"),
    Project(repository="lkiesow/python-feedgen", package="feedgen"),
    Project(repository="lmfit/asteval", package="asteval", made=(("asteval/version.py", _VERSION),)),
    Project(repository="madpah/serializable", package="py_serializable"),
    Project(repository="myusuf3/delorean", package="delorean"),
    Project(repository="nhairs/python-json-logger", package="src/pythonjsonlogger"),
    Project(repository="pavlov99/json-rpc", package="jsonrpc", tests="jsonrpc/tests"),
    Project(repository="python-distro/distro", package="src/distro"),
    Project(repository="23andMe/Yamale", package="yamale", tests="yamale/tests"),
    Project(repository="ahawker/ulid", package="ulid"),
    Project(repository="barseghyanartur/tld", package="src/tld", tests="src/tld/tests"),
    Project(repository="bobthemighty/punq", package="punq"),
    Project(repository="cool-RR/PySnooper", package="pysnooper"),
    Project(repository="gmr/pamqp", package="pamqp"),
    Project(repository="hhatto/autopep8", package="autopep8.py", tests="test"),
    Project(repository="Infinidat/munch", package="munch"),
    Project(repository="laurent-laporte-pro/deprecated", package="deprecated"),
    Project(repository="lovasoa/marshmallow_dataclass", package="marshmallow_dataclass"),
    Project(repository="matiasb/python-unidiff", package="unidiff"),
    Project(repository="microsoft/knack", package="knack"),
    Project(repository="python-excel/xlrd", package="xlrd"),
    Project(repository="python-openapi/openapi-schema-validator", package="openapi_schema_validator", given="tests"),
    Project(repository="sciunto-org/python-bibtexparser", package="bibtexparser"),
    Project(repository="selectel/pyte", package="pyte"),
    Project(repository="spulec/freezegun", package="freezegun"),
    Project(repository="tartley/colorama", package="colorama", tests="colorama/tests"),
    Project(repository="terrencepreilly/darglint", package="darglint", given="tests"),
    Project(repository="urwid/urwid", package="urwid", given="tests", made=(("urwid/version.py", _VERSION),)),
    Project(repository="clld/clldutils", package="src/clldutils"),
    Project(repository="containerbuildsystem/dockerfile-parse", package="dockerfile_parse"),
    Project(repository="davidaurelio/hashids-python", package="hashids.py", tests="test"),
    Project(repository="dbcli/litecli", package="litecli"),
    Project(repository="decalage2/olefile", package="olefile"),
    Project(repository="fonttools/ufoLib2", package="src/ufoLib2", given="tests"),
    Project(repository="geomet/geomet", package="geomet", tests="geomet/tests"),
    Project(repository="joowani/binarytree", package="binarytree"),
    Project(repository="kurtmckee/listparser", package="src/listparser"),
    Project(repository="microformats/mf2py", package="mf2py", tests="test"),
    Project(repository="mwclient/mwclient", package="mwclient", tests="test"),
    Project(repository="pbs/pycaption", package="pycaption"),
    Project(
        repository="pytroll/trollsift",
        package="trollsift",
        tests="trollsift/tests",
        made=(("trollsift/version.py", _VERSION),),
    ),
    Project(
        repository="pyvisa/pyvisa",
        package="pyvisa",
        tests="pyvisa/testsuite",
        given="pyvisa/testsuite",
        made=(("pyvisa/version.py", _VERSION),),
    ),
    Project(repository="release-engineering/productmd", package="productmd"),
    Project(repository="scrapinghub/number-parser", package="number_parser"),
    Project(repository="tkarabela/pysubs2", package="pysubs2", given="tests"),
    Project(repository="Turbo87/utm", package="utm", tests="test"),
    Project(repository="wbond/asn1crypto", package="asn1crypto"),
    Project(repository="zopefoundation/DateTime", package="src/DateTime", tests="src/DateTime/tests"),
    Project(repository="5j9/wikitextparser", package="wikitextparser"),
    Project(
        repository="algorand/py-algorand-sdk", package="algosdk", tests="tests/unit_tests", given="tests/unit_tests"
    ),
    Project(
        repository="daggaz/json-stream",
        package="src/json_stream",
        tests="src/json_stream/tests",
        given="src/json_stream/tests",
    ),
    Project(repository="delph-in/pydelphin", package="delphin"),
    Project(repository="dlce-eva/python-nexus", package="src/nexus"),
    Project(repository="EmilStenstrom/conllu", package="conllu"),
    Project(repository="fox-it/dissect.cstruct", package="dissect"),
    Project(repository="gaogaotiantian/objprint", package="src/objprint"),
    Project(repository="joalla/discogs_client", package="discogs_client", tests="discogs_client/tests"),
    Project(repository="jtesta/ssh-audit", package="src/ssh_audit", tests="test", given="test"),
    Project(repository="kaste/mockito-python", package="mockito", given="tests"),
    Project(repository="majiidd/persiantools", package="persiantools"),
    Project(repository="metaodi/osmapi", package="osmapi", given="tests"),
    Project(repository="mjs/imapclient", package="imapclient", given="tests"),
    Project(repository="ncclient/ncclient", package="ncclient", tests="test/unit", given="test/unit"),
    Project(repository="pytest-dev/pluggy", package="src/pluggy", tests="testing", given="testing"),
    Project(repository="semuconsulting/pynmeagps", package="src/pynmeagps", given="tests"),
    Project(repository="tonioo/sievelib", package="sievelib", tests="sievelib/tests"),
    Project(repository="toumorokoshi/deepmerge", package="deepmerge", tests="deepmerge/tests"),
    Project(repository="ulif/diceware", package="diceware", given="tests"),
    Project(repository="adamchainz/django-upgrade", package="src/django_upgrade"),
    Project(repository="asottile/cfgv", package="cfgv.py"),
    Project(repository="atlassian-api/atlassian-python-api", package="atlassian", given="tests"),
    Project(repository="best-doctor/flake8-functions", package="flake8_functions"),
    Project(repository="canopen-python/canopen", package="canopen", tests="test", given="test"),
    Project(repository="cdgriffith/puremagic", package="puremagic", tests="test", given="test"),
    Project(repository="dahlia/wikidata", package="wikidata", given="tests"),
    Project(repository="dlint-py/dlint", package="dlint", given="tests"),
    Project(
        repository="docker/docker-py",
        package="docker",
        tests="tests/unit",
        given="tests/unit",
        made=(("docker/_version.py", _VERSION),),
    ),
    Project(repository="elastic/ecs-logging-python", package="ecs_logging"),
    Project(repository="fedora-python/lxml_html_clean", package="lxml_html_clean", given="tests -p no:doctest"),
    Project(repository="georgkrause/langcodes", package="langcodes", tests="langcodes/tests", given="langcodes/tests"),
    Project(
        repository="globality-corp/flake8-logging-format",
        package="logging_format",
        tests="logging_format/tests",
        given="logging_format/tests",
    ),
    Project(repository="goodmami/penman", package="penman", given="tests"),
    Project(repository="gruns/icecream", package="icecream", given="tests"),
    Project(repository="hakancelikdev/unimport", package="src/unimport", given="tests"),
    Project(repository="idank/bashlex", package="bashlex", given="tests"),
    Project(repository="isidentical/refactor", package="refactor", given="tests"),
    Project(
        repository="kedder/ofxstatement",
        package="src/ofxstatement",
        tests="src/ofxstatement/tests",
        given="src/ofxstatement/tests",
    ),
    Project(repository="Knio/pynmea2", package="pynmea2", tests="test", given="test"),
    Project(repository="codingjoe/relint", package="relint", given="tests", made=(("relint/_version.py", _VERSION),)),
    Project(repository="DMTF/python-redfish-library", package="src/redfish", given="tests"),
    Project(repository="gabrielfalcao/sure", package="sure", given="tests"),
    Project(repository="guilatrova/tryceratops", package="src/tryceratops", tests="src/tests", given="src/tests"),
    Project(repository="has2k1/mizani", package="mizani", given="tests"),
    Project(repository="isso-comments/isso", package="isso", tests="isso/tests", given="isso/tests"),
    Project(repository="jd/daiquiri", package="daiquiri", tests="daiquiri/tests", given="daiquiri/tests"),
    Project(repository="jfilter/clean-text", package="cleantext", given="tests"),
    Project(repository="joshtemple/lkml", package="lkml", given="tests"),
    Project(repository="jsvine/markovify", package="markovify", tests="test", given="test"),
    Project(repository="log2timeline/dfdatetime", package="dfdatetime", given="tests -o python_files=*.py"),
    Project(repository="lra/mackup", package="src/mackup", given="tests"),
    Project(repository="magmax/python-inquirer", package="src/inquirer", given="tests/unit tests/integration"),
    Project(repository="mapbox/mapbox-sdk-py", package="mapbox", given="tests"),
    Project(repository="matrix-org/matrix-python-sdk", package="matrix_client", tests="test", given="test"),
    Project(repository="mdomke/schwifty", package="schwifty", given="tests"),
    Project(repository="mwilliamson/python-mammoth", package="mammoth", given="tests"),
    Project(
        repository="netbox-community/pynetbox",
        package="pynetbox",
        tests="tests",
        given="tests --ignore tests/integration",
    ),
    Project(repository="networktocode/jdiff", package="jdiff", given="tests"),
    Project(repository="nylas/nylas-python", package="nylas", given="tests"),
    Project(repository="adamchainz/blacken-docs", package="src/blacken_docs", given="tests"),
    Project(repository="chimpler/pyhocon", package="pyhocon", given="tests"),
    Project(repository="EmbroidePy/pyembroidery", package="pyembroidery", tests="test", given="test"),
    Project(repository="google/mobly", package="mobly", given="tests"),
    Project(repository="hetznercloud/hcloud-python", package="hcloud", given="tests"),
    Project(repository="linode/linode_api4-python", package="linode_api4", tests="test/unit", given="test/unit"),
    Project(repository="microsoft/sarif-tools", package="sarif", given="tests"),
    Project(repository="mollie/mollie-api-python", package="mollie", given="tests"),
    Project(repository="OnroerendErfgoed/skosprovider", package="skosprovider", given="tests"),
    Project(repository="pyscaffold/configupdater", package="src/configupdater", given="tests"),
    Project(
        repository="python-quantities/python-quantities",
        package="quantities",
        tests="quantities/tests",
        given="quantities/tests",
        made=(("quantities/_version.py", _VERSION),),
    ),
    Project(repository="sanic-org/sanic-routing", package="sanic_routing", given="tests"),
    Project(repository="scrapinghub/extruct", package="extruct", given="tests"),
    Project(repository="simlist/pyluach", package="src/pyluach", given="tests"),
    Project(repository="ssato/python-anyconfig", package="src/anyconfig", given="tests"),
    Project(repository="sshuttle/sshuttle", package="sshuttle", given="tests"),
    Project(repository="suds-community/suds", package="suds", given="tests"),
    Project(repository="vinitkumar/json2xml", package="json2xml", given="tests"),
    Project(repository="vlasovskikh/funcparserlib", package="funcparserlib", given="tests"),
    Project(repository="voxpupuli/pypuppetdb", package="pypuppetdb", given="tests"),
    Project(
        repository="agronholm/exceptiongroup",
        package="src/exceptiongroup",
        given="tests",
        made=(("src/exceptiongroup/_version.py", _VERSION),),
    ),
    Project(repository="authlib/authlib", package="authlib", tests="tests/core", given="tests/core"),
    Project(repository="click-contrib/click-help-colors", package="click_help_colors", given="tests"),
    Project(
        repository="eandersson/amqpstorm",
        package="amqpstorm",
        tests="amqpstorm/tests/unit",
        given="amqpstorm/tests/unit",
    ),
    Project(repository="eerimoq/textparser", package="textparser.py", given="tests"),
    Project(repository="explosion/catalogue", package="catalogue", tests="catalogue/tests", given="catalogue/tests"),
    Project(repository="hynek/environ-config", package="src/environ", given="tests"),
    Project(repository="kislyuk/yq", package="yq", tests="test", given="test -o python_files=test.py"),
    Project(repository="MarcoGorelli/absolufy-imports", package="absolufy_imports.py", given="tests"),
    Project(repository="psf/cachecontrol", package="cachecontrol", given="tests"),
    Project(repository="Pylons/deform", package="deform", tests="deform/tests", given="deform/tests"),
    Project(repository="pypa/wheel", package="src/wheel", given="tests"),
    Project(
        repository="scikit-hep/hepunits",
        package="src/hepunits",
        given="tests",
        made=(("src/hepunits/_version.py", _VERSION),),
    ),
    Project(repository="scrapy/queuelib", package="queuelib", tests="queuelib/tests", given="queuelib/tests"),
    Project(repository="vi3k6i5/flashtext", package="flashtext", tests="test", given="test"),
    Project(
        repository="weaveworks/grafanalib", package="grafanalib", tests="grafanalib/tests", given="grafanalib/tests"
    ),
    Project(repository="webpy/webpy", package="web", given="tests"),
    Project(
        repository="websocket-client/websocket-client",
        package="websocket",
        tests="websocket/tests",
        given="websocket/tests",
    ),
    Project(repository="XRPLF/xrpl-py", package="xrpl", tests="tests/unit", given="tests/unit"),
    Project(repository="zytedata/zyte-parsers", package="zyte_parsers", given="tests"),
)
PACKAGES = (
    "pytest coverage pytest-cov pytest-timeout pytest-lazy-fixtures freezegun pyyaml simplejson pytz cryptography "
    "typeguard typing_extensions colorama python-dateutil tzdata wcwidth tornado humanize boltons tinydb itsdangerous "
    "marshmallow sqlparse click cachetools pyjwt mistune prettytable tabulate tenacity tomli pydash markdown-it-py "
    "mdit-py-plugins linkify-it-py pytest-regressions xmltodict validators eth-hash[pycryptodome] w3lib "
    "beautifulsoup4 six markdownify h11 parse tomlkit idna hyperlink voluptuous portion pytest-benchmark "
    "sortedcontainers whatever funcy pathspec tablib openpyxl xlrd xlwt pandas odfpy markuppy pyflakes qrcode "
    "pillow pypng deprecation cssselect lxml parsel itemadapter jmespath itemloaders add-trailing-comma tokenize-rt "
    "bracex geojson dominate face mistletoe parameterized colander webtest waitress pyquery WSGIProxy2 PasteDeploy "
    "installer pyproject-metadata exceptiongroup semver semantic-version django docstring-parser RestrictedPython "
    "pytest-mock boolean.py identify[license] argparse-addons humanfriendly pyelftools pycountry invoke attrs mock "
    "flask wtforms flask-babel email-validator tzlocal mido honcho assertpy unidecode colorlog casbin wcmatch "
    "troposphere awacs multimethod tinytag python-decouple shtab charset-normalizer gitlint-core cssselect2 intervals "
    "feedgen asteval py-serializable xmldiff delorean python-json-logger json-rpc yamale ruamel.yaml ulid-py tld "
    "fake.py punq expects sqlalchemy pysnooper pamqp autopep8 munch deprecated typing_inspect marshmallow-enum "
    "unidiff knack vcrpy openapi-schema-validator bibtexparser pyte freezegun colorama darglint urwid clldutils "
    "dockerfile-parse hashids litecli olefile ufoLib2 cattrs orjson geomet binarytree listparser mf2py mwclient "
    "responses cssutils trollsift pyvisa productmd number-parser pysubs2 utm asn1crypto DateTime wikitextparser "
    "py-algorand-sdk json-stream pydelphin python-nexus conllu dissect.cstruct objprint python3-discogs-client "
    "ssh-audit mockito persiantools osmapi imapclient ncclient pluggy pynmeagps sievelib deepmerge diceware "
    "django-upgrade cfgv atlassian-python-api flake8-functions mr_proper canopen canmatrix puremagic wikidata dlint "
    "docker paramiko ecs-logging elastic-apm structlog lxml_html_clean langcodes language_data flake8-logging-format "
    "pyhamcrest penman icecream unimport bashlex refactor ofxstatement appdirs pynmea2 relint redfish sure couleur "
    "tryceratops mizani isso daiquiri testtools clean-text lkml markovify dfdatetime mackup inquirer mapbox "
    "matrix-client schwifty mammoth pynetbox jdiff nylas blacken-docs pyhocon mobly hcloud linode_api4 httpretty "
    "sarif-tools mollie-api-python skosprovider configupdater quantities sanic-routing extruct pyluach anyconfig "
    "tomli_w sshuttle suds json2xml funcparserlib pypuppetdb authlib catalogue environ-config boto3 moto yq deform "
    "pyramid amqpstorm textparser absolufy-imports cachecontrol filelock cherrypy wheel queuelib zyte-parsers "
    "flashtext grafanalib web.py xrpl-py websocket-client hepunits pint click-help-colors setuptools==81.0.0"
)
"""What the projects' suites import, and nothing else: a plugin of pytest that none of them needs costs each start of
it. The projects themselves are among it for their metadata; their trees come first."""
