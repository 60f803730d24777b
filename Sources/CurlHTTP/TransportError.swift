internal import CCurl

/// Why a request got no complete HTTP answer.
package struct TransportError: Error, Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        /// No connection could be made, or it broke: name, route, refusal, reset.
        case unreachable
        /// A time limit of the request passed.
        case timeout
        /// The connection leads nowhere any more, while a new one works (`LostConnections`).
        case lost
        /// The server's certificate is not the one that is trusted, or the handshake failed.
        case tls
        /// The request's `CancelToken` was cancelled, or its receiver wanted no more.
        case cancelled
        /// What came back is not HTTP, or larger than allowed; or the request cannot be made (bad URL or header).
        case `protocol`
    }

    package var kind: Kind
    /// libcurl's words, for people.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package static let cancelled = TransportError(.cancelled, "cancelled")
}

extension TransportError: CustomStringConvertible {
    package var description: String { message }
}

extension TransportError.Kind {
    /// The one classification of libcurl's codes.
    init(_ code: CURLcode) {
        self =
            switch code {
            case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE,
                CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_INTERFACE_FAILED, CURLE_PROXY:
                .unreachable
            case CURLE_OPERATION_TIMEDOUT:
                .timeout
            case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
                CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED:
                .tls
            case CURLE_ABORTED_BY_CALLBACK:
                .cancelled
            default:
                .protocol
            }
    }
}
