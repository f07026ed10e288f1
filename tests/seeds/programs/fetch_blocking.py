"""HTTPClient: 一个阻塞的 HTTP 客户端. The notes list its methods; this program calls them."""

import sys

from tornado import httpclient

http_client = httpclient.HTTPClient()
for url in sys.argv[1:]:
    try:
        response = http_client.fetch(url)
        print(response.body.decode())
    except httpclient.HTTPError as e:
        print("Error: " + str(e), e.code)
    except Exception as e:
        print("Error: " + type(e).__name__)
http_client.close()
